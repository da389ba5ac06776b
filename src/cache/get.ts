import { ModelCacheError } from '../model/errors.ts'
import { describeModel, type Model, modelKey } from '../model/model.ts'
import { selectionKey } from '../model/selection.ts'
import { originals } from '../platform/originals.ts'
import { type CachedModel, makeCachedModel } from './cached-model.ts'
import type { CacheContext } from './context.ts'
import { type Located, locateInManifest, locateOnDisk } from './locate.ts'
import type { Progress } from './progress.ts'

export interface GetOptions {
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
  /** False when a warm-up asks and not a test: then the selection does not count as used. Default true. */
  used?: boolean
}

/**
 * Gives a model that is there to be used: from the manifest, else from disk, else brought in from the Hub. What is
 * needed for bringing in is loaded only then.
 */
export async function getModel(context: CacheContext, model: Model, options: GetOptions = {}): Promise<CachedModel> {
  const started = originals.monotonic()
  throwRecordedFailure(context, model)
  const located = (await locateInManifest(context, model)) ?? (await locateOnDisk(context, model))
  const cached =
    located?.changed.length === 0
      ? serve(context, model, located, started)
      : await (await import('./bring-in.ts')).bringIn(context, model, { ...options, started })
  if (cached.tier === 'disk')
    context.debug(`🎯 Cache HIT: ${describeModel(model)}${await ageOf(context, model, cached.commit)}`)
  return cached
}

/** A model of which all files are as they were recorded. */
export function serve(context: CacheContext, model: Model, located: Located, started: number): CachedModel {
  const { changed: _, ...parts } = located
  const lookupMs = originals.monotonic() - started
  const { repo, revision } = model
  return makeCachedModel(context.layout, { ...parts, repo, revision, tier: 'disk', lookupMs, downloadMs: null })
}

/** What the warm-up failed at is not tried again by each worker: the reason is given where the model is asked for. */
function throwRecordedFailure(context: CacheContext, model: Model): void {
  const failure = context.options.manifest?.failures.find(
    (candidate) => modelKey(candidate) === modelKey(model) && candidate.selection === selectionKey(model.selection),
  )
  if (failure) throw new ModelCacheError(failure.error)
}

/** ` (age: 2h 15m)`, for the log alone: a hit does not read metadata to learn it. */
async function ageOf(context: CacheContext, model: Model, commit: string): Promise<string> {
  if (!context.options.onDebug) return ''
  const [{ formatAge }, metadata] = await Promise.all([import('../config/units.ts'), context.metadata()])
  const entry = await metadata.find(`${model.repo}@${commit}`)
  return entry ? ` (age: ${formatAge(originals.now() - Date.parse(entry.cachedDate))})` : ''
}
