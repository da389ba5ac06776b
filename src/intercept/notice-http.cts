// Catches requests to the Hub by node:http, by node:https, and by packages that use them: axios, got, node-fetch. However a
// package imports `get` and `request`, each request is given to `addRequest` of an agent.
import diagnostics = require('node:diagnostics_channel')

interface Bridge {
  bases: string[]
  /** Only in unit mode. */
  mocks?: unknown
}
type HubSocket = typeof import('./hub-socket.cts')
type Agent = Parameters<HubSocket['answer']>[1]
type Request = Parameters<Agent['addRequest']>[0]
type Options = Parameters<Agent['addRequest']>[1]

const BRIDGE = Symbol.for('vitest-model-cache.intercept')
const NOTICED = Symbol.for('vitest-model-cache.http')
// Property of the agents of the engine. Their requests are downloads of the cache itself.
const OWN_AGENT = Symbol.for('vitest-model-cache.own-agent')

/**
 * Has agents ask the bridge from the moment when node:http is loaded. Loading it here would take longer than all the rest of the
 * preload. While node:http loads it opens a diagnostics channel, however it was imported: that is the moment.
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
        // Another implementation of Node.js. There http works as it does without us.
      }
    }
    return channel(name)
  }
}

function patchAgent(): void {
  // `node:http` itself has no exports while it loads.
  const { prototype }: { prototype: Agent } = require('node:_http_agent').Agent
  const { addRequest } = prototype
  if (typeof addRequest !== 'function') return
  prototype.addRequest = function (this: Agent, request, options) {
    const { path } = request
    const bridge: Bridge | undefined = Reflect.get(process, BRIDGE)
    // In unit mode every request to the Hub is refused.
    const isUnit = bridge?.mocks !== undefined
    if (
      bridge &&
      !Reflect.has(this, OWN_AGENT) &&
      (isUnit || path.includes('/resolve/') || path.includes('/api/models/'))
    ) {
      const url = isUnit ? addressBelow(request, options, bridge.bases) : addressOfRead(request, options, bridge.bases)
      // Loaded with the first request to the Hub.
      const hubSocket: HubSocket | undefined = url && require('./hub-socket.cjs')
      if (url && hubSocket) return hubSocket.answer(url, this, request, options, addRequest)
    }
    // biome-ignore lint/complexity/noArguments: as it came
    return Reflect.apply(addRequest, this, arguments)
  }
}

const READ = /^\/(?!datasets\/)[^/]+(\/[^/]+)?\/resolve\/.|^\/api\/models\/./

/** The URL of a request that may be a read of a model repo. Undefined for any other request. */
function addressOfRead(request: Request, options: Options, bases: string[]): string | undefined {
  const { method } = request
  const url = method === 'GET' || method === 'HEAD' ? addressBelow(request, options, bases) : undefined
  return bases.some((base) => url?.startsWith(base) && READ.test(url.slice(base.length))) ? url : undefined
}

/** The URL of a request to one of the bases. Undefined for any other request. */
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
