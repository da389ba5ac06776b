import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { hostname as nameOfMachine, networkInterfaces } from 'node:os'
import process from 'node:process'
import type { CacheOptions } from '../cache/context/options.ts'
import { ModelCache } from '../cache/model-cache.ts'
import { isLoopback } from '../config/token.ts'
import { ModelCacheError, messageOf, systemCode } from '../model/errors.ts'
import { originals } from '../platform/originals.ts'
import { Desk, type RequestLine } from './desk.ts'
import { InUse } from './in-use.ts'
import { ServedModels } from './served-models.ts'

export interface ServeSettings {
  /** The settings of the cache. `offline` forbids downloads, whatever `pullThrough` says. */
  cache: CacheOptions
  host: string
  /** 0: any free port. */
  port: number
  /** True: what is missing is downloaded from the Hub. */
  pullThrough: boolean
  /** What clients have to send. With it, models that are not public are served, too. */
  token?: string
  /** Milliseconds from the last request for a model to the end of its claim. Default: five minutes. */
  idleMs?: number
  onRequest?: (line: RequestLine) => void
  onProblem?: (message: string) => void
}

export interface ServeTotals {
  requests: number
  /** Bytes that were sent to clients. */
  sentBytes: number
  /** Bytes that were downloaded for clients. */
  downloadedBytes: number
  ms: number
}

/** A running server. */
export interface Serving {
  url: string
  port: number
  /** Ends the server within seconds: responses under way get some time, downloads are stopped. */
  close(): Promise<ServeTotals>
}

// With these, the server listens on all addresses of the machine.
const ANY_ADDRESS = ['0.0.0.0', '::']
const IDLE_MS = 5 * 60_000
const FLUSH_MS = 60_000
const GRACE_MS = 3_000
const LIMITS = {
  maxHeaderSize: 16_384,
  headersTimeout: 10_000,
  // For the whole request with its body. A response may take longer.
  requestTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
  keepAliveTimeout: 60_000,
}
// Each can have an open file. Many systems allow a process a thousand.
const MOST_CONNECTIONS = 256

/** Serves the models of a cache as a read-only Hub. Throws `INVALID_OPTION` if the address can't be used. */
export async function serve(settings: ServeSettings): Promise<Serving> {
  const { idleMs = IDLE_MS, token, onRequest, onProblem = () => undefined } = settings
  const stop = new AbortController()
  const cache = openCache(settings, stop.signal)
  if (canPull(settings)) await cache.prepare()
  const models = new ServedModels(cache, token !== undefined)
  const inUse = new InUse(idleMs, (id) => void cache.unclaim(id))
  const totals: ServeTotals = { requests: 0, sentBytes: 0, downloadedBytes: 0, ms: 0 }
  const started = originals.monotonic()
  const hostname = settings.host.includes(':') ? `[${settings.host}]` : settings.host
  const desk = new Desk({
    ...{ models, inUse, onProblem, door: { hostname, token } },
    manner: { pullThrough: settings.pullThrough, hasToken: token !== undefined },
    onRequest(line) {
      totals.requests++
      totals.sentBytes += line.bytes
      onRequest?.(line)
    },
  })
  const server = createServer(LIMITS, (request, response) => void desk.receive(request, response))
  server.maxConnections = MOST_CONNECTIONS
  const port = await listen(server, settings)
  const { endpoint } = settings.cache.hub
  const flush = () => cache.touch(inUse.takeUses()).catch((error) => onProblem(messageOf(error)))
  const timer = originals.setInterval(flush, FLUSH_MS)
  timer.unref()
  const close = async () => {
    originals.clearInterval(timer)
    stop.abort()
    await closeWithin(server, GRACE_MS)
    await flush()
    await cache.endRun()
    return { ...totals, downloadedBytes: models.downloadedBytes, ms: originals.monotonic() - started }
  }
  if (isOwnAddress(endpoint, settings.host, port)) {
    await close()
    throw ownEndpoint(endpoint)
  }
  return { url: `http://${ANY_ADDRESS.includes(settings.host) ? nameOfMachine() : hostname}:${port}`, port, close }
}

function canPull({ pullThrough, cache }: ServeSettings): boolean {
  return pullThrough && !cache.offline
}

function openCache(settings: ServeSettings, signal: AbortSignal): ModelCache {
  const { hub, ...options } = settings.cache
  return new ModelCache({
    ...options,
    offline: !canPull(settings),
    // Without a token of their own, clients get what everybody gets.
    hub: { ...hub, isAnonymous: settings.token === undefined },
    // A read of a client changes nothing, or downloads.
    adopt: canPull(settings) && settings.cache.adopt,
    // There is no end of a run, at which a model that is too large would be removed.
    onTooLarge: 'error',
    lockfile: undefined,
    frozen: false,
    run: { id: `serve-${process.pid}-${randomBytes(3).toString('hex')}`, pid: process.pid },
    signal,
  })
}

async function listen(server: Server, { host, port }: ServeSettings): Promise<number> {
  try {
    server.listen({ host, port })
    await once(server, 'listening')
  } catch (cause) {
    throw new ModelCacheError({
      code: 'INVALID_OPTION',
      asked: `Address ${host}, port ${port}`,
      reason: `The server can't listen there: ${messageOf(cause)}.`,
      nextStep:
        systemCode(cause) === 'EADDRINUSE'
          ? 'Choose another port with --port, or 0 for any free one.'
          : 'Name an address of this machine with --host, such as 127.0.0.1 or 0.0.0.0, and a port with --port.',
      cause,
    })
  }
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

/** Waits for the responses under way, but not longer than `ms`. */
async function closeWithin(server: Server, ms: number): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeIdleConnections()
  const timer = originals.setTimeout(() => server.closeAllConnections(), ms)
  await closed
  originals.clearTimeout(timer)
}

/** True if the Hub of the settings is this server. It would ask itself. */
function isOwnAddress(endpoint: string, host: string, port: number): boolean {
  const { hostname, port: asked, protocol } = new URL(endpoint)
  if (protocol !== 'http:' || Number(asked || 80) !== port) return false
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map(({ address }) => address) ?? [])
  return isLoopback(hostname) || [host, ...own].includes(hostname.replace(/^\[|\]$/g, ''))
}

function ownEndpoint(endpoint: string): ModelCacheError {
  return new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `HF_ENDPOINT ${endpoint}`,
    reason: 'It names this server itself.',
    nextStep: 'Unset HF_ENDPOINT where the server starts. It is for the clients.',
  })
}
