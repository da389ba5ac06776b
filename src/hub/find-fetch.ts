import { hostGlobal, originals } from '../platform/originals.ts'
import type { Fetch } from './fetch.ts'
import { proxyFetch } from './proxy.ts'

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
 * Whether nobody has a say in how this process asks. A suite may have put mocks below node:http, and Node.js or the project may have been told
 * to let fetch go another way (by its own proxy support, a dispatcher of undici, a fetch in place of that of Node.js): who was
 * loaded before us set a dispatcher if there is any, as Node.js does itself with the first fetch.
 */
function isOurs(env: Environment): boolean {
  const hasDispatcher = Object.getOwnPropertySymbols(hostGlobal()).some((symbol) =>
    symbol.description?.startsWith('undici.globalDispatcher'),
  )
  const isOfNode = Function.prototype.toString.call(originals.fetch).includes('internal/deps/undici')
  return env.VITEST_WORKER_ID === undefined && env.NODE_USE_ENV_PROXY !== '1' && !hasDispatcher && isOfNode
}
