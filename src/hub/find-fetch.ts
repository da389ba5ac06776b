import { createRequire } from 'node:module'
import { hostGlobal, originals } from '../platform/originals.ts'
import type { Fetch } from './fetch.ts'
import { proxyFetch } from './proxy.ts'

// What `intercept/notice-http.cts` marks a process with in which requests of node:http come to the bridge.
const NOTICED = Symbol.for('vitest-model-cache.http')

type Environment = Readonly<Record<string, string | undefined>>

/** By which the Hub is asked in this process: through the proxy that the environment names, else directly. */
export async function findFetch(env: Environment): Promise<Fetch> {
  const proxied = await proxyFetch(env)
  if (proxied) return proxied
  if (!isOurs(env)) return originals.fetch
  const { directFetch } = await import('./direct-fetch.ts')
  return directFetch
}

/**
 * Whether nobody has a say in how this process asks. A suite may have put mocks below node:http, and Node.js or the project may have
 * been told to let fetch go another way: by the proxy support of Node.js, a dispatcher of undici, a fetch in place of its own. And
 * where node:http asks our bridge, the engine would wait for itself.
 */
function isOurs(env: Environment): boolean {
  const isOfNode = Function.prototype.toString.call(originals.fetch).includes('internal/deps/undici')
  const isWorker = env.VITEST_WORKER_ID !== undefined || Reflect.has(process, NOTICED)
  return !isWorker && env.NODE_USE_ENV_PROXY !== '1' && isOfNode && !hasDispatcher()
}

/** Node.js sets a plain one itself when it loads its undici; who sets another has loaded the package, or sets one of another kind. */
function hasDispatcher(): boolean {
  const host = hostGlobal()
  const symbols = Object.getOwnPropertySymbols(host)
  const isSet = symbols.filter(({ description = '' }) => description.startsWith('undici.globalDispatcher'))
  if (isSet.length === 0) return false
  const isPlain = isSet.every((symbol) => Reflect.get(host, symbol)?.constructor?.name === 'Agent')
  const { cache } = createRequire(import.meta.url)
  return !isPlain || Object.keys(cache).some((path) => /[\\/]node_modules[\\/]undici[\\/]/.test(path))
}
