import { ModelCacheError, messageOf } from '../model/errors.ts'
import { describeModel, type Model } from '../model/model.ts'

/** The error of a model that the cache folder or its disk could not take. */
export function cacheUnusable(model: Model, cause: unknown): ModelCacheError {
  return new ModelCacheError({
    code: 'CACHE_UNUSABLE',
    asked: `Model ${describeModel(model)}`,
    reason: `It could not be brought into the cache: ${messageOf(cause)}.`,
    nextStep: 'Check the cache folder and the disk, or set MODEL_CACHE_DIR to another folder.',
    cause,
  })
}
