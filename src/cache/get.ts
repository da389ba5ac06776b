import { entryKey } from '../model/entry.ts'
import { type ErrorCode, isSystemError, ModelCacheError } from '../model/errors.ts'
import { describeModel, type Model, modelKey, modelLabel } from '../model/model.ts'
import { selectionKey } from '../model/selection.ts'
import { originals } from '../platform/originals.ts'
import { cacheUnusable } from './cache-unusable.ts'
import { type CachedModel, makeCachedModel } from './cached-model.ts'
import type { CacheContext } from './context/context.ts'
import type { Progress } from './context/progress.ts'
import { type Arrival, NOTHING_DONE } from './intake/arrival.ts'
import type { Located } from './lookup/compare-with-disk.ts'
import { locateInManifest, locateOnDisk } from './lookup/locate.ts'

export interface GetOptions {
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
  /** True for one file of a larger request, such as one file that a loader reads. Its selection is not recorded. */
  isPart?: boolean
}

/**
 * Returns a model that is complete in the cache: found by the manifest, else on disk, else adopted or downloaded. The code for
 * downloads is loaded only when it is needed.
 */
export async function getModel(context: CacheContext, model: Model, options: GetOptions = {}): Promise<CachedModel> {
  return whereUsable(context, model, options, (usable, signal) => findModel(usable, model, { ...options, signal }))
}

/**
 * Calls `act` with this cache, or with the temporary cache when this one can't take the model. Throws `NOT_A_CACHE` or
 * `CACHE_UNUSABLE` when the options allow no temporary cache.
 */
export async function whereUsable<T>(
  context: CacheContext,
  model: Model,
  options: GetOptions,
  act: (usable: CacheContext, signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  const signal = options.signal ?? context.options.signal
  const standIn = await context.usable()
  if (standIn !== context) return whereUsable(standIn, model, options, act)
  try {
    return await act(context, signal)
  } catch (error) {
    const explained = explainDiskError(error, model, signal)
    if (!(explained instanceof ModelCacheError) || explained.code !== 'CACHE_UNUSABLE') throw explained
    const temporary = await context.temporary(explained.message)
    if (!temporary) throw explained
    return await whereUsable(temporary, model, options, act)
  }
}

/** Does the work of `getModel` in this cache, and uses no temporary cache. */
export async function findModel(context: CacheContext, model: Model, options: GetOptions): Promise<CachedModel> {
  const started = originals.monotonic()
  const found = await findComplete(context, model, started)
  if (found) return found
  const arrival = await completeWithProgress(context, model, { ...options, started })
  return tellHit(context, model, serve(context, model, arrival, started))
}

/** Returns a model if it is complete on disk. Undefined if something of it is to be downloaded, adopted or restored. */
export async function getComplete(context: CacheContext, model: Model): Promise<CachedModel | undefined> {
  return findComplete(await context.usable(), model, originals.monotonic())
}

async function findComplete(context: CacheContext, model: Model, started: number): Promise<CachedModel | undefined> {
  const warmed = await locateInManifest(context, model)
  const located = warmed ?? (await locateOnDisk(context, model))
  if (located?.changed.length !== 0) throwRecordedFailure(context, model)
  const isThere =
    located?.changed.length === 0 && (warmed !== undefined || (await claimAndLookAgain(context, model, located)))
  if (!located || !isThere) return undefined
  return tellHit(context, model, serve(context, model, { ...NOTHING_DONE, located }, started))
}

async function tellHit(context: CacheContext, model: Model, cached: CachedModel): Promise<CachedModel> {
  if (cached.tier === 'disk') context.debug(`🎯 Cache HIT: ${describeModel(model)}${await ageOf(context, cached)}`)
  return cached
}

/** Downloads what is missing of a model, and keeps its progress in `context.underWay`. */
async function completeWithProgress(
  context: CacheContext,
  model: Model,
  options: GetOptions & { started: number },
): Promise<Arrival> {
  const label = describeModel(model)
  const progress = (progress: Progress) => {
    context.underWay.set(label, progress)
    options.onProgress?.(progress)
  }
  progress({ model: modelLabel(model), receivedBytes: 0, totalBytes: 0, elapsedMs: 0 })
  try {
    const [{ completeModel }, { makeRoom }] = await Promise.all([
      import('./intake/complete-model.ts'),
      import('./upkeep/make-room.ts'),
    ])
    return await completeModel(context, model, { ...options, onProgress: progress, makeRoom })
  } finally {
    context.underWay.delete(label)
  }
}

/**
 * Claims a model for the run that the cache works for. True when the model is still complete after that. A model of the
 * manifest needs no claim: the warm-up claimed it.
 */
async function claimAndLookAgain(context: CacheContext, model: Model, found: Located): Promise<boolean> {
  if (!(await context.claim(found))) return true
  const located = await locateOnDisk(context, model)
  return located?.repo === found.repo && located.snapshot === found.snapshot && located.changed.length === 0
}

/** Turns a system error into `CACHE_UNUSABLE`. Returns other errors unchanged. */
function explainDiskError(error: unknown, model: Model, signal?: AbortSignal): unknown {
  if (error instanceof ModelCacheError || signal?.aborted || !isSystemError(error)) return error
  return cacheUnusable(model, error)
}

/** A wait for another process that downloads counts as download time, not as lookup time. */
function serve(
  { layout }: CacheContext,
  { revision }: Model,
  { located, waitedMs, downloadMs, ...served }: Arrival,
  started: number,
): CachedModel {
  const { changed: _, ...parts } = located
  return makeCachedModel(layout, {
    ...{ ...parts, ...served, revision },
    lookupMs: originals.monotonic() - started - waitedMs - (downloadMs ?? 0) - (served.restoreMs ?? 0),
    downloadMs: waitedMs > 0 ? waitedMs + (downloadMs ?? 0) : downloadMs,
  })
}

// These failures are the same for every selection of a repo.
const FAILURES_OF_THE_REPO: ErrorCode[] = [
  'MODEL_NOT_FOUND',
  'REVISION_NOT_FOUND',
  'GATED',
  'ACCESS_DENIED',
  'HUB_UNREACHABLE',
  'NOT_LOCKED',
  'LOCK_BROKEN',
]

/** Throws the failure of the warm-up for a model, so that workers do not try again. The test that asks for the model sees the reason. */
function throwRecordedFailure(context: CacheContext, model: Model): void {
  const failure = context.options.manifest?.failures.find(
    ({ repo, revision, selection, error }) =>
      modelKey({ repo, revision }) === modelKey(model) &&
      (selection === selectionKey(model.selection) || FAILURES_OF_THE_REPO.includes(error.code)),
  )
  if (failure) throw new ModelCacheError(failure.error)
}

/** Returns ` (age: 2h 15m)` for the debug log, else nothing: a hit does not read the metadata for it. */
async function ageOf(context: CacheContext, cached: CachedModel): Promise<string> {
  if (!context.options.onDebug) return ''
  const [{ formatAge }, metadata] = await Promise.all([import('../config/units.ts'), context.metadata()])
  const entry = await metadata.find(entryKey(cached))
  return entry ? ` (age: ${formatAge(originals.now() - Date.parse(entry.cachedDate))})` : ''
}
