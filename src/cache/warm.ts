import pLimit from 'p-limit'
import { entryKey } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import { type Model, modelKey } from '../model/model.ts'
import { cacheUnusable } from './cache-unusable.ts'
import type { CachedModel } from './cached-model.ts'
import type { CacheContext } from './context/context.ts'
import type { Progress } from './context/progress.ts'
import { getComplete, getModel } from './get.ts'
import { prepareMapping } from './lookup/mapped-path.ts'
import { resolveOnDisk } from './lookup/resolve-on-disk.ts'

export interface WarmOptions {
  signal?: AbortSignal
  /** The signal for one model, in place of `signal`. */
  signalOf?: (model: Model) => AbortSignal
  onProgress?: (progress: Progress) => void
}

/** The result for one model: the cached model, or the error. */
export type WarmResult = { model: Model; cached: CachedModel } | { model: Model; error: ModelCacheError }

// The files of one model are already downloaded in parallel. More models at once only help when there are many small models.
const MODELS_AT_ONCE = 4

/** A model of a warm-up that has begun. */
export interface BegunModel {
  model: Model
  /** True if it was not complete on disk, so that it is downloaded, restored or adopted now. */
  isArriving: boolean
  /** Rejects if the warm-up was aborted, or if the model can't be pinned. A download that fails is a result. */
  result: Promise<WarmResult>
}

/** Downloads models before they are asked for. A model that fails does not throw: its result holds the error. */
export async function warmModels(
  context: CacheContext,
  models: Model[],
  options: WarmOptions = {},
): Promise<WarmResult[]> {
  const begun = await beginWarm(context, models, options)
  return Promise.all(begun.map(({ result }) => result))
}

/** As `warmModels`, but returns when all models were looked up on disk. The others arrive in the given order, some at a time. */
export async function beginWarm(
  context: CacheContext,
  models: Model[],
  options: WarmOptions = {},
): Promise<BegunModel[]> {
  const usable = await context.usable().catch(() => undefined)
  if (usable) await claimCached(usable, models)
  const limit = pLimit(MODELS_AT_ONCE)
  const onDisk = await Promise.all(models.map((model) => limit(() => lookUp(context, model))))
  if (usable)
    await pin(
      usable,
      onDisk.filter((result) => result !== undefined),
    )
  const arrive = async (model: Model): Promise<WarmResult> => {
    const result = await download(context, model, { ...options, signal: options.signalOf?.(model) ?? options.signal })
    if (usable) await pin(usable, [result])
    return result
  }
  return models.map((model, index) => {
    const result = onDisk[index]
    return { model, isArriving: !result, result: result ? Promise.resolve(result) : limit(() => arrive(model)) }
  })
}

/** Undefined for a model that is not complete on disk. */
async function lookUp(context: CacheContext, model: Model): Promise<WarmResult | undefined> {
  try {
    const cached = await getComplete(context, model)
    return cached && { model, cached: await prepared(context, cached) }
  } catch {
    // The download throws this error again.
    return undefined
  }
}

async function download(context: CacheContext, model: Model, options: WarmOptions): Promise<WarmResult> {
  try {
    return { model, cached: await prepared(context, await getModel(context, model, options)) }
  } catch (error) {
    if (options.signal?.aborted) throw error
    return { model, error: error instanceof ModelCacheError ? error : cacheUnusable(model, error) }
  }
}

/**
 * Claims all entries that are already cached, in one write. The lookups that follow need no claims of their own. An entry that
 * turns out to be incomplete stays claimed until the run is over.
 */
async function claimCached(context: CacheContext, models: Model[]): Promise<void> {
  const distinct = new Map(models.map((model) => [modelKey(model), model]))
  const known = await Promise.all([...distinct.values()].map((model) => resolveOnDisk(context, model).catch(nothing)))
  const entries = known.flatMap((known) => known?.entry ?? [])
  if (entries.length > 1) await context.claim(...entries)
}

/** Makes the skeletons that a cached model lacks, so that no worker has to. They were lost, or an earlier version cached the model. */
async function prepared(context: CacheContext, cached: CachedModel): Promise<CachedModel> {
  for (const path of cached.files.keys()) await prepareMapping(context, cached.file(path))
  return cached
}

/** Pins models that were already cached and are to be pinned. Models that were downloaded just now are pinned already. */
async function pin(context: CacheContext, results: WarmResult[]): Promise<void> {
  const metadata = await context.metadata()
  const keys: string[] = []
  for (const result of results) {
    if (!result.model.pin || !('cached' in result)) continue
    const key = entryKey(result.cached)
    if ((await metadata.find(key))?.pinned === false) keys.push(key)
  }
  if (keys.length === 0) return
  await metadata.update((entries) => {
    for (const key of keys) {
      const entry = entries.get(key)
      if (entry) entry.pinned = true
    }
  })
}

/** An error is ignored here: the lookup of the model throws it again. */
function nothing(): undefined {}
