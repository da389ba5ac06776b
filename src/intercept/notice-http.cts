// What untouched code asks of the Hub by node:http and node:https, and by what is built on them: axios, got, node-fetch.
// By whatever name they import `get` and `request`, each request comes to `addRequest` of an agent.
import diagnostics = require('node:diagnostics_channel')

interface Bridge {
  bases: string[]
  /** In unit mode only. */
  mocks?: unknown
}
type HubSocket = typeof import('./hub-socket.cts')
type Agent = Parameters<HubSocket['answer']>[1]
type Request = Parameters<Agent['addRequest']>[0]
type Options = Parameters<Agent['addRequest']>[1]

const BRIDGE = Symbol.for('vitest-model-cache.intercept')
const NOTICED = Symbol.for('vitest-model-cache.http')

/**
 * Has the agents ask the bridge as soon as node:http is there. To load it takes longer than all else that the preload
 * does, so it is left to whoever needs it; what it calls while it is loaded tells, however it was imported.
 */
function noticeHttp(): void {
  if (Reflect.has(process, NOTICED)) return
  Object.defineProperty(process, NOTICED, { value: true })
  const loaded: string[] = Reflect.get(process, 'moduleLoadList') ?? []
  if (loaded.includes('NativeModule _http_client')) patchAgent()
  else whileItLoads(patchAgent)
}

function whileItLoads(act: () => void): void {
  const { channel } = diagnostics
  diagnostics.channel = (name) => {
    if (String(name).startsWith('http.client.request.')) {
      diagnostics.channel = channel
      try {
        act()
      } catch {
        // A Node.js that is made otherwise: http works there as it does without us.
      }
    }
    return channel(name)
  }
}

function patchAgent(): void {
  // `node:http` itself has no exports while it is loaded.
  const { prototype }: { prototype: Agent } = require('node:_http_agent').Agent
  const { addRequest } = prototype
  if (typeof addRequest !== 'function') return
  prototype.addRequest = function (this: Agent, request, options) {
    const { path } = request
    const bridge: Bridge | undefined = Reflect.get(process, BRIDGE)
    // In unit mode every request to the Hub is refused.
    const isUnit = bridge?.mocks !== undefined
    if (bridge && (isUnit || path.includes('/resolve/') || path.includes('/api/models/'))) {
      const url = isUnit ? addressBelow(request, options, bridge.bases) : addressOfRead(request, options, bridge.bases)
      // Loaded when the Hub is first asked for something.
      const hubSocket: HubSocket | undefined = url && require('./hub-socket.cjs')
      if (url && hubSocket) return hubSocket.answer(url, this, request, options, addRequest)
    }
    // biome-ignore lint/complexity/noArguments: as it came
    return Reflect.apply(addRequest, this, arguments)
  }
}

const READ = /^\/(?!datasets\/)[^/]+(\/[^/]+)?\/resolve\/.|^\/api\/models\/./

/** The URL of a request that may be a read of a model repo. */
function addressOfRead(request: Request, options: Options, bases: string[]): string | undefined {
  const { method } = request
  const url = method === 'GET' || method === 'HEAD' ? addressBelow(request, options, bases) : undefined
  return bases.some((base) => url?.startsWith(base) && READ.test(url.slice(base.length))) ? url : undefined
}

/** The URL of a request to one of the bases. */
function addressBelow(request: Request, options: Options, bases: string[]): string | undefined {
  const { path, protocol } = request
  const { host, port, socketPath } = options
  if (typeof host !== 'string' || socketPath) return undefined
  const isDefault = Number(port) === (protocol === 'https:' ? 443 : 80)
  const name = host.includes(':') ? `[${host}]` : host.toLowerCase()
  const url = `${protocol}//${name}${isDefault ? '' : `:${port}`}${path}`
  return bases.some((base) => url.startsWith(base)) ? url : undefined
}

export = { noticeHttp }
