import { once } from 'node:events'
import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** What happens to a request in place of the server's answer. */
export type Fault =
  | { status: number; headers?: Record<string, string>; body?: string }
  /** The server's answer, of which the connection breaks after these bytes of the body. */
  | { cutAfter: number }
  /** The connection breaks before an answer. */
  | 'cut'
  /** No answer, ever. */
  | 'hang'

interface Asked {
  method: string
  /** With the query string. */
  path: string
  headers: IncomingMessage['headers']
}

type Rule = (asked: Asked) => Fault | undefined

/** An HTTP server on loopback that passes requests on, and is at fault on request. It passes `Host` on, so signatures stay valid. */
export class FaultyProxy {
  /** All requests since the last `reset`. */
  readonly requests: Asked[] = []
  #rules: Rule[] = []
  #turn: Promise<void> = Promise.resolve()

  private constructor(
    readonly server: Server,
    readonly url: string,
  ) {}

  /**
   * `target`: the address of the server behind it, such as `http://127.0.0.1:1234`. `writesInPlace`: it shows an upload before its end,
   * and two uploads mix. It then gets whole uploads only, and nothing else meanwhile.
   */
  static async start(target: string, { writesInPlace = false } = {}): Promise<FaultyProxy> {
    const server = createServer((asked, answer) => proxy.#handle(asked, answer, new URL(target), writesInPlace))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const proxy = new FaultyProxy(server, `http://127.0.0.1:${port}`)
    return proxy
  }

  /** Adds a rule: the first one that returns a fault counts. Default: each request of the method. */
  add(rule: Rule | { method?: string; fault: Fault; times?: number }): void {
    if (typeof rule === 'function') {
      this.#rules.push(rule)
      return
    }
    let left = rule.times ?? Number.POSITIVE_INFINITY
    this.#rules.push(({ method }) =>
      (rule.method === undefined || rule.method === method) && left-- > 0 ? rule.fault : undefined,
    )
  }

  reset(): void {
    this.#rules = []
    this.requests.length = 0
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  #handle(asked: IncomingMessage, answer: ServerResponse, target: URL, writesInPlace: boolean): void {
    const { method = '', url: path = '', headers } = asked
    const seen = { method, path, headers }
    this.requests.push(seen)
    const fault = this.#faultFor(seen)
    if (fault === 'hang') return
    if (fault === 'cut') return void asked.socket.destroy()
    if (fault && 'status' in fault) {
      // Without reading the body: a server may refuse an upload at once.
      asked.resume()
      answer.writeHead(fault.status, fault.headers).end(fault.body)
      return
    }
    const pass = () =>
      request({ host: target.hostname, port: target.port, method, path, headers, agent: false }, (received) => {
        answer.writeHead(received.statusCode ?? 502, received.headers)
        if (fault) void cut(received, answer, fault.cutAfter)
        else received.pipe(answer)
      }).on('error', () => answer.destroy())
    if (writesInPlace) return void this.#passInTurn(asked, pass).catch(() => answer.destroy())
    const passed = pass()
    asked.on('error', () => passed.destroy())
    asked.on('aborted', () => passed.destroy())
    asked.pipe(passed)
  }

  #faultFor(asked: Asked): Fault | undefined {
    for (const rule of this.#rules) {
      const fault = rule(asked)
      if (fault !== undefined) return fault
    }
    return undefined
  }

  async #passInTurn(asked: IncomingMessage, pass: () => ClientRequest): Promise<void> {
    const body = await buffer(asked)
    const begin = async () => {
      const ended = once(pass().end(body), 'close')
      if (isWrite) await ended
    }
    const isWrite = asked.method !== 'GET' && asked.method !== 'HEAD'
    const begun = this.#turn.then(begin)
    if (isWrite) this.#turn = begun.catch(() => undefined)
    await begun
  }
}

async function cut(received: IncomingMessage, answer: ServerResponse, after: number): Promise<void> {
  let left = after
  for await (const chunk of received) {
    const sent = chunk.subarray(0, left)
    left -= sent.byteLength
    // What was written reaches the client before the connection breaks.
    await new Promise((resolve) => answer.write(sent, resolve))
    if (left <= 0) break
  }
  answer.destroy()
}
