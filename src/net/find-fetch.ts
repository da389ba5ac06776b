import { createRequire } from 'node:module'
import { hostGlobal, hostValue, originals } from '../platform/originals.ts'
import type { Fetch, UploadingFetch } from './fetch.ts'
import { proxyFetch } from './proxy.ts'

// Property that `intercept/notice-http.cts` sets on `process` when it routes requests of node:http to the bridge.
const NOTICED = Symbol.for('vitest-model-cache.http')

type Environment = Readonly<Record<string, string | undefined>>

/** The fetch for this process: through the proxy that the environment names, else directly. */
export async function findFetch(env: Environment): Promise<Fetch> {
  const proxied = await proxyFetch(env)
  if (proxied) return proxied
  if (!isOurs(env)) return originals.fetch
  const { directFetch } = await import('./direct-fetch.ts')
  return directFetch
}

/** As `findFetch`, also for uploads. If it is not `directFetch`, an upload that is redirected fails. */
export async function findUploadingFetch(env: Environment): Promise<UploadingFetch> {
  const fetch = await findFetch(env)
  const { directFetch } = await import('./direct-fetch.ts')
  if (fetch === directFetch) return directFetch
  return (input, { body, ...init } = {}) => {
    if (typeof body !== 'object') return fetch(input, { ...init, body })
    // undici keeps all bytes of an upload in memory unless a redirect is an error and there is no window
    // (`httpNetworkOrCacheFetch` in its lib/web/fetch/index.js).
    return fetch(input, { ...init, body: streamOf(body), duplex: 'half', redirect: 'error', window: null })
  }
}

function streamOf(bytes: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = bytes[Symbol.asyncIterator]()
  const Stream = hostValue('ReadableStream')
  return new Stream({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    async cancel() {
      await iterator.return?.()
    },
  })
}

/**
 * True when `directFetch` may be used. It must not be used:
 * - in a worker, where the suite may have mocked node:http;
 * - where requests of node:http go to our bridge: the engine would wait for itself;
 * - where the project changed how fetch works: by Node.js's proxy support, a dispatcher of undici, or a fetch of its own.
 */
function isOurs(env: Environment): boolean {
  const isOfNode = Function.prototype.toString.call(originals.fetch).includes('internal/deps/undici')
  const isWorker = env.VITEST_WORKER_ID !== undefined || Reflect.has(process, NOTICED)
  return !isWorker && env.NODE_USE_ENV_PROXY !== '1' && isOfNode && !hasDispatcher()
}

/**
 * True when the project set a dispatcher of undici. Node.js itself sets one of the class `Agent` when it loads its own copy of
 * undici. Any other class, or a loaded `undici` package, means that the dispatcher is the project's.
 */
function hasDispatcher(): boolean {
  const host = hostGlobal()
  const symbols = Object.getOwnPropertySymbols(host)
  const isSet = symbols.filter(({ description = '' }) => description.startsWith('undici.globalDispatcher'))
  if (isSet.length === 0) return false
  const isPlain = isSet.every((symbol) => Reflect.get(host, symbol)?.constructor?.name === 'Agent')
  const { cache } = createRequire(import.meta.url)
  return !isPlain || Object.keys(cache).some((path) => /[\\/]node_modules[\\/]undici[\\/]/.test(path))
}
