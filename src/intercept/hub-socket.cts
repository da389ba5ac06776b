// A connection that answers a read of the Hub from the cache. The request stays Node.js's own, with its events, limits and aborts.
import http = require('node:http')
import https = require('node:https')
import net = require('node:net')
import stream = require('node:stream')
import tls = require('node:tls')
import util = require('node:util')

const BRIDGE = Symbol.for('vitest-model-cache.intercept')
const URL_OF_READ = Symbol('vitest-model-cache.url')

type Header = [name: string, value: string]
type WebStream = Parameters<typeof stream.Readable.fromWeb>[0]
type Done = (error: Error | null | undefined, socket?: net.Socket) => void
/** Opens the connection that the request would have without us. */
type Connect = (done: Done) => void

/** Methods of an agent that @types/node does not declare. */
interface Agent {
  addRequest(request: ClientRequest, options: RequestOptions): void
  createSocket(request: ClientRequest, options: RequestOptions, done: Done): void
  createConnection(options: RequestOptions, done: Done): net.Socket | undefined
}
type ClientRequest = http.ClientRequest & { timeout?: number; onSocket(socket: net.Socket): void }
type RequestOptions = Omit<http.RequestOptions, 'agent'> & { [URL_OF_READ]?: string }

interface PassedOn {
  method: string
  headers: Header[]
  signal?: AbortSignal
}

interface Bridge {
  bases: string[]
  /** Calls `original`, with what is to be sent and where, for a request that the cache does not answer. */
  fetch<T>(original: (url: string, init: PassedOn) => Promise<T>, url: string, init: PassedOn): Promise<Response | T>
}

/** Replaces `addRequest`, which every agent of Node.js has. Gives the request a connection. */
function answer(
  url: string,
  agent: Agent,
  request: ClientRequest,
  options: RequestOptions,
  addRequest: Agent['addRequest'],
): void {
  const nodes = protocolOf(url).Agent.prototype as unknown as Agent
  if (agent.createConnection === nodes.createConnection) {
    const socket = new HubSocket(url, (done) => agent.createSocket(request, options, done))
    if (request.timeout) socket.setTimeout(request.timeout)
    request.onSocket(socket)
  } else {
    // An agent with its own `createConnection` is the suite's, or msw's, and goes first. If it then connects by Node.js's own
    // method, the URL in the options identifies the read.
    patchConnections(nodes)
    Reflect.apply(addRequest, agent, [request, { ...options, [URL_OF_READ]: url }])
  }
}

const patched = new WeakSet<Agent>()

function patchConnections(prototype: Agent): void {
  if (patched.has(prototype)) return
  patched.add(prototype)
  const { createConnection } = prototype
  prototype.createConnection = function (this: Agent, options, ...rest) {
    const { [URL_OF_READ]: url, ...own } = Object(options)
    if (url === undefined) return Reflect.apply(createConnection, this, [options, ...rest])
    return new HubSocket(url, (done) => {
      const socket = Reflect.apply(createConnection, this, [own, done])
      if (socket) done(null, socket)
    })
  }
}

function protocolOf(url: string): typeof http | typeof https {
  return url.startsWith('https:') ? https : http
}

const OF_CONNECTION = /^(host|connection)$/i

class HubSocket extends net.Socket {
  declare connecting: boolean
  readonly encrypted: boolean
  readonly authorized: boolean
  readonly #url: string
  readonly #connect: Connect
  /** Aborts the answer. Made by node:util, because an environment may have replaced the global AbortController. */
  readonly #gone = util.transferableAbortController()
  #written: Buffer[] = []
  #isAsked = false
  #source: stream.Readable | undefined
  #real: net.Socket | undefined

  constructor(url: string, connect: Connect) {
    super()
    this.#url = url
    this.#connect = connect
    this.encrypted = url.startsWith('https:')
    this.authorized = this.encrypted
    // Until there is an answer. The caller's time limit is for a silent server, and must not count a download.
    this.connecting = true
    // The response was read. An agent that keeps connections for more requests must not keep this one.
    this.once('free', () => this.destroy())
    this.once('close', () => {
      this.#gone.abort()
      this.#source?.destroy()
      this.#real?.destroy()
    })
  }

  override setTimeout(ms: number, onTimeout?: () => void): this {
    if (!this.connecting) return super.setTimeout(ms, onTimeout)
    return this.once('connect', () => this.setTimeout(ms, onTimeout))
  }

  override _read(): void {
    this.#source?.resume()
    this.#real?.resume()
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#real) return void this.#real.write(chunk, encoding, done)
    this.#written.push(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk)
    if (!this.#isAsked) this.#readHead()
    done()
  }

  // Without this method each chunk comes to `_write`.
  override _writev: undefined

  override _final(done: (error?: Error | null) => void): void {
    this.#real?.end()
    done()
  }

  #readHead(): void {
    const [head = '', method = ''] =
      /^([A-Z]+) [\s\S]*?\r\n\r\n/.exec(Buffer.concat(this.#written).toString('latin1')) ?? []
    if (head === '') return
    this.#isAsked = true
    const headers = [...head.matchAll(/^([^:\s]+): *(.*)\r$/gm)].map(
      ([, name = '', value = '']): Header => [name, value],
    )
    this.#ask(method, headers).catch((error) => this.destroy(error))
  }

  async #ask(method: string, headers: Header[]): Promise<void> {
    const bridge: Bridge | undefined = Reflect.get(process, BRIDGE)
    const { signal } = this.#gone
    const passOn = async (url: string, sent: PassedOn) => {
      if (url === this.#url) this.#connect((error, socket) => this.#passThrough(error, socket))
      else this.#passTo(new URL(url), sent)
      return undefined
    }
    const asked = { method, headers, signal }
    const response = bridge ? await bridge.fetch(passOn, this.#url, asked) : await passOn(this.#url, asked)
    if (response === undefined) return
    const text = response.headers.has('Content-Length') ? undefined : Buffer.from(await response.arrayBuffer())
    this.#connected()
    this.#receive(headOf(response, text, headers.find(([name]) => /^origin$/i.test(name))?.[1]))
    if (method === 'HEAD') return
    if (text) this.#receive(text)
    else if (response.body) this.#pour(stream.Readable.fromWeb(response.body as WebStream))
  }

  #pour(source: stream.Readable): void {
    this.#source = source
    source.on('data', (chunk) => this.#receive(chunk)).on('error', (error) => this.destroy(error))
  }

  /** Sends another head in place of the one that was written, over a new connection. These requests have no body. */
  #passTo(url: URL, { method, headers }: PassedOn): void {
    const isSecure = url.protocol === 'https:'
    const fields = [
      ['Host', url.host],
      ['Connection', 'close'],
      ...headers.filter(([name]) => !OF_CONNECTION.test(name)),
    ]
    const lines = [`${method} ${url.pathname}${url.search} HTTP/1.1`, ...fields.map((field) => field.join(': '))]
    this.#written = [Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')]
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const port = Number(url.port) || (isSecure ? 443 : 80)
    const real = isSecure ? tls.connect({ host, port, servername: host }) : net.connect({ host, port })
    real.on('error', (error) => this.destroy(error))
    real.once(isSecure ? 'secureConnect' : 'connect', () => this.#passThrough(null, real))
    this.once('close', () => real.destroy())
  }

  /** Sends what was written over the real connection. Its data is the answer. */
  #passThrough(error: Error | null | undefined, real: net.Socket | undefined): void {
    // Node.js calls this again when the connection is open.
    if (this.#real) return
    if (real === undefined) return void this.destroy(error ?? undefined)
    this.#real = real
    real.on('data', (chunk) => this.#receive(chunk)).on('error', (error) => this.destroy(error))
    real.on('end', () => this.push(null)).on('close', () => real.readableEnded || this.destroy())
    for (const chunk of this.#written.splice(0)) real.write(chunk)
    if (this.destroyed) real.destroy()
    this.#connected()
  }

  #connected(): void {
    this.connecting = false
    for (const event of ['connect', ...(this.encrypted ? ['secureConnect'] : []), 'ready']) this.emit(event)
  }

  #receive(chunk: Buffer): void {
    // Restarts the time limit.
    if (this.timeout) this.setTimeout(this.timeout)
    if (this.push(chunk)) return
    this.#source?.pause()
    this.#real?.pause()
  }
}

function headOf(
  { status, statusText, headers }: Response,
  text: Buffer | undefined,
  origin: string | undefined,
): Buffer {
  const fields: Header[] = [...headers]
  if (text) fields.push(['content-length', String(text.length)])
  // XMLHttpRequest of jsdom uses node:http too, and needs the CORS headers that the Hub sends.
  if (origin) {
    fields.push(['access-control-expose-headers', [...headers.keys()].join()])
    fields.push(['access-control-allow-origin', origin])
  }
  const lines = [`HTTP/1.1 ${status} ${statusText}`, ...fields.map(([name, value]) => `${name}: ${value}`)]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}

export = { answer }
