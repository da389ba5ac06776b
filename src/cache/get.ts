import { ModelCacheError } from '../model/errors.ts'
import { describeModel, type Model, modelKey } from '../model/model.ts'
import { selectionKey } from '../model/selection.ts'
import { originals } from '../platform/originals.ts'
import { type CachedModel, makeCachedModel } from './cached-model.ts'
import type { CacheContext } from './context.ts'
import { locateInManifest, locateOnDisk } from './locate.ts'
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
  if (located && located.changed.length === 0) {
    context.debug(`🎯 Cache HIT: ${describeModel(model)}${await ageOf(context, model, located.commit)}`)
    const { commit, files, recordedDownloadMs, warmedInThisRun } = located
    return makeCachedModel(context.layout, {
      ...{ repo: model.repo, revision: model.revision, commit, files, recordedDownloadMs, warmedInThisRun },
      ...{ tier: 'disk', lookupMs: originals.monotonic() - started, downloadMs: null },
    })
  }
  const { bringIn } = await import('./bring-in.ts')
  return bringIn(context, model, { ...options, started })
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
