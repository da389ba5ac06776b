import { randomBytes } from 'node:crypto'
import process from 'node:process'
import type { CacheOptions } from '../cache/context/options.ts'
import { ModelCache } from '../cache/model-cache.ts'
import { touchEntries } from '../cache/touch.ts'
import { ModelCacheError, messageOf } from '../model/errors.ts'
import { originals } from '../platform/originals.ts'
import { openDoorWarning } from './check-request.ts'
import { Desk, type RequestLine } from './desk.ts'
import { InUse } from './in-use.ts'
import { bind, type Limits, leadsTo, unbind } from './listener.ts'
import { ServedModels } from './served-models.ts'
import { PATIENCE, type Patience } from './while-waiting.ts'

export interface ServeSettings {
  /** The settings of the cache. `offline` forbids downloads, whatever `pullThrough` says. */
  cache: CacheOptions
  host: string
  /** The port to listen on. With 0, the system chooses a free port. */
  port: number
  /** True: what is missing is downloaded from the Hub. */
  pullThrough: boolean
  /** What clients have to send. With it, models that are not public are served, too. */
  token?: string
  /** Milliseconds from the last request for a model to the end of its claim. Default: five minutes. */
  idleMs?: number
  patience?: Patience
  /** The limits of the connections of clients. */
  limits?: Partial<Limits>
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
  /** Set if other machines may read the models without a token. */
  warning?: string
  /** Ends the server within seconds: responses under way get some time, downloads are stopped. */
  close(): Promise<ServeTotals>
}

const IDLE_MS = 5 * 60_000
const FLUSH_MS = 60_000

/** Serves the models of a cache as a read-only Hub. Throws `INVALID_OPTION` if the address can't be used. */
export async function serve(settings: ServeSettings): Promise<Serving> {
  const {
    host,
    pullThrough,
    token,
    idleMs = IDLE_MS,
    patience = PATIENCE,
    onRequest,
    onProblem = () => undefined,
  } = settings
  const started = originals.monotonic()
  const bound = await bind(settings)
  const { endpoint } = settings.cache.hub
  if (leadsTo(bound, endpoint)) {
    await unbind(bound)
    throw ownEndpoint(endpoint)
  }
  const stop = new AbortController()
  const cache = openCache(settings, stop.signal)
  const models = new ServedModels(cache, token !== undefined)
  const inUse = new InUse(idleMs, (id) => void cache.context.unclaim(id))
  const totals = { requests: 0, sentBytes: 0 }
  const door = { address: bound.address, hostname: host, token }
  const desk = new Desk({
    ...{ models, inUse, door, patience, onProblem, manner: { pullThrough, hasToken: token !== undefined } },
    onRequest(line) {
      totals.requests++
      totals.sentBytes += line.bytes
      onRequest?.(line)
    },
  })
  bound.server.on('request', (request, response) => void desk.receive(request, response))
  if (canPull(settings)) await cache.prepare()
  const flush = () => touchEntries(cache.context, inUse.takeUses()).catch((error) => onProblem(messageOf(error)))
  const timer = originals.setInterval(flush, FLUSH_MS)
  timer.unref()
  const close = async () => {
    originals.clearInterval(timer)
    stop.abort()
    await unbind(bound)
    await flush()
    await cache.endRun()
    return { ...totals, downloadedBytes: models.downloadedBytes, ms: originals.monotonic() - started }
  }
  return { url: bound.url, port: bound.port, warning: openDoorWarning(door), close }
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
    // Without downloads, a read of a client adds nothing to the cache.
    ...(!canPull(settings) && { adopt: false, remote: undefined }),
    // There is no end of a run, at which a model that is too large would be removed.
    onTooLarge: 'error',
    // Clients must not be able to fill the disk.
    whenFull: 'error',
    lockfile: undefined,
    frozen: false,
    run: { id: `serve-${process.pid}-${randomBytes(3).toString('hex')}`, pid: process.pid },
    signal,
  })
}

function ownEndpoint(endpoint: string): ModelCacheError {
  return new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `HF_ENDPOINT ${endpoint}`,
    reason: 'It names this server itself.',
    nextStep: 'Unset HF_ENDPOINT where the server starts. It is for the clients.',
  })
}
