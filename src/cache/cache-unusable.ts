import { ModelCacheError, messageOf } from '../model/errors.ts'
import { describeModel, type Model } from '../model/model.ts'

/** The error for a model that could not be written into the cache folder. */
export function cacheUnusable(model: Model, cause: unknown): ModelCacheError {
  return new ModelCacheError({
    code: 'CACHE_UNUSABLE',
    asked: `Model ${describeModel(model)}`,
    reason: `It could not be added to the cache: ${messageOf(cause)}.`,
    nextStep: 'Check the cache folder and the disk, or set MODEL_CACHE_DIR to another folder.',
    cause,
  })
}
