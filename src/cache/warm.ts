import pLimit from 'p-limit'
import { entryKey } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import { type Model, modelKey } from '../model/model.ts'
import { cacheUnusable } from './cache-unusable.ts'
import type { CachedModel } from './cached-model.ts'
import type { CacheContext } from './context/context.ts'
import type { Progress } from './context/progress.ts'
import { getModel } from './get.ts'
import { resolveOnDisk } from './lookup/resolve-on-disk.ts'

export interface WarmOptions {
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
}

/** What became of one model: it is there, or why not. */
export type WarmResult = { model: Model; cached: CachedModel } | { model: Model; error: ModelCacheError }

// The files of one model are fetched side by side already; more models at once only pay for many small ones.
const MODELS_AT_ONCE = 4

/** Brings models in before they are asked for. Never throws for a model: each result says what became of it. */
export async function warmModels(
  context: CacheContext,
  models: Model[],
  options: WarmOptions = {},
): Promise<WarmResult[]> {
  const usable = await context.usable().catch(() => undefined)
  if (usable) await claimWhatIsThere(usable, models)
  const limit = pLimit(MODELS_AT_ONCE)
  const results = await Promise.all(
    models.map((model) =>
      limit(async (): Promise<WarmResult> => {
        try {
          return { model, cached: await getModel(context, model, options) }
        } catch (error) {
          if (options.signal?.aborted) throw error
          return { model, error: error instanceof ModelCacheError ? error : cacheUnusable(model, error) }
        }
      }),
    ),
  )
  if (usable) await pin(usable, results)
  return results
}

/**
 * Claims what is known at once, in one write: each model is looked for after that, and needs no claim of its own. What is of no
 * use after all is only kept until the run is over.
 */
async function claimWhatIsThere(context: CacheContext, models: Model[]): Promise<void> {
  const distinct = new Map(models.map((model) => [modelKey(model), model]))
  const known = await Promise.all([...distinct.values()].map((model) => resolveOnDisk(context, model).catch(nothing)))
  const entries = known.flatMap((known) => known?.entry ?? [])
  if (entries.length > 1) await context.claim(...entries)
}

/** Pins what is asked for as pinned and was there already; what was brought in just now is pinned. */
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

/** What can't be read is found out about when it is asked for. */
function nothing(): undefined {}
