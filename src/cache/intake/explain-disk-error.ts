import { isSystemError, ModelCacheError, messageOf } from '../../model/errors.ts'
import { type FileTarget, fileFailure } from './file-target.ts'

/** A system error that is no failure of the network comes from the disk: it is full, read-only or gone. */
export function explainDiskError(error: unknown, target: FileTarget): unknown {
  const isDisk = !(error instanceof ModelCacheError) && isSystemError(error)
  return isDisk ? fileFailure(target, 'CACHE_UNUSABLE', `It could not be written: ${messageOf(error)}.`, error) : error
}
