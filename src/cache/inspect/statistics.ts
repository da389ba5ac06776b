import { isoNow } from '../../platform/originals.ts'
import type { CacheContext } from '../context/context.ts'
import { listEntries } from '../lookup/list-entries.ts'
import { totalSize } from '../store/entries/used-bytes.ts'

/** The present contents of the cache. */
export interface CacheStatistics {
  /** The cache folder. */
  directory: string
  /** Bytes on disk of all models. */
  size: number
  /** The size limit in bytes. */
  maxSize: number
  /** Number of models. */
  entries: number
  /** ISO 8601: when the statistics were taken. */
  takenAt: string
}

/** Counts the models of the cache and their bytes. A folder that is refused counts as empty. */
export async function cacheStatistics(context: CacheContext): Promise<CacheStatistics> {
  const entries = context.refusal ? [] : await listEntries(context)
  return {
    directory: context.layout.directory,
    size: totalSize(entries),
    maxSize: context.options.maxSize,
    entries: entries.length,
    takenAt: isoNow(),
  }
}
