import { request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { type ServeSettings, type Serving, serve } from '../../src/serve/serve.ts'
import type { Engine } from './engine.ts'

interface Answered {
  status: number
  headers: NodeJS.Dict<string | string[]>
  body: string
}

/** A server over the cache of an engine. */
export class TestServing {
  /** What the operator was told. */
  readonly problems: string[] = []
  /** `GET /path 200` for each request whose response has ended. */
  readonly lines: string[] = []
  #ended: (() => void)[] = []

  private constructor(private readonly started: () => Serving) {}

  static async start(
    engine: Engine,
    onFinished: (callback: () => Promise<void>) => void,
    settings: Partial<Omit<ServeSettings, 'cache'>> & { cache?: Partial<ServeSettings['cache']> } = {},
  ): Promise<TestServing> {
    let server: Serving | undefined
    const serving = new TestServing(() => {
      if (!server) throw new Error('The server has not started')
      return server
    })
    server = await serve({
      ...{ host: '127.0.0.1', port: 0, pullThrough: false, ...settings },
      cache: { ...engine.open().context.options, ...settings.cache },
      onRequest: ({ method, path, status, isComplete }) => {
        serving.lines.push(`${method} ${path} ${isComplete ? status : 'cut'}`)
        for (const end of serving.#ended.splice(0)) end()
      },
      onProblem: (message) => serving.problems.push(message),
    })
    onFinished(async () => {
      await server?.close()
    })
    return serving
  }

  get url(): string {
    return this.started().url
  }

  get close(): Serving['close'] {
    return this.started().close
  }

  /** Settles when `count` requests have ended. */
  async ended(count: number): Promise<void> {
    while (this.lines.length < count) await new Promise<void>((resolve) => this.#ended.push(resolve))
  }

  /** Sends a request whose path is not normalized. */
  async ask(path: string, headers: Record<string, string> = {}, method = 'GET', body?: string): Promise<Answered> {
    const { hostname, port } = new URL(this.url)
    return new Promise((resolve, reject) => {
      const sent = request({ hostname, port, path, method, headers, agent: false }, async (response) => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: await text(response) })
      })
      sent.on('error', reject).end(body)
    })
  }

  /** Sends bytes on a new connection, and returns all that the server sends until it closes the connection. */
  async send(bytes: string | Uint8Array): Promise<string> {
    const socket = connect(this.started().port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(bytes)
    let received = ''
    for await (const chunk of socket.setEncoding('latin1')) received += chunk
    return received
  }
}
