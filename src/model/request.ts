import type { ErrorCode } from './errors.ts'
import type { Tier } from './tier.ts'

/**
 * One load of one model selection by one process. All file reads, probes and negative answers of the load count as one
 * request. Plain JSON, because a worker sends it to the main process. Times are in milliseconds; null where the step did
 * not take place.
 */
export interface RequestEvent {
  repo: string
  revision: string
  commit: string
  tier: Tier
  /** The key of the selection, see `selectionKey`. */
  selection: string
  /** The files of the selection: their paths in the repo and their sizes in bytes. */
  files: [path: string, bytes: number][]
  /** The start of the request, in milliseconds since the epoch. */
  at: number
  /** The time of the lookup, without waits for downloads. Time in which several files are looked up counts once. */
  lookupMs: number
  restoreMs: number | null
  /** Includes the wait for another process that downloads the same repo. A request that only waited has 0 `downloadedBytes`. */
  downloadMs: number | null
  /** Bytes that this request downloaded. */
  downloadedBytes: number
  /** Bytes that this request adopted from another Hugging Face cache. */
  adoptedBytes: number
  /** Files that had changed on disk, and that this request downloaded again. */
  repaired: readonly string[]
  /** The time in which the runtime loaded the model from the files. */
  loadMs: number | null
  /** The recorded time of the model's download, in this run or an earlier one; null where unknown. */
  recordedDownloadMs: number | null
  /** True when the warm-up of this run downloaded the model: the run's first request of it then counts as the miss. */
  warmedInThisRun: boolean
}

/** A request that failed. */
export interface RequestError {
  model: string
  /**
   * `UNFINISHED`: a test timed out while it waited for the download. `UNSERVED`: a child process of a test could not use the
   * cache.
   */
  code: ErrorCode | 'UNKNOWN' | 'UNFINISHED' | 'UNSERVED'
  message: string
  /** The id of the test that made the request; left out if no test or several tests were running. */
  test?: string
}

/** Models that were removed to make room for others. */
export interface Evicted {
  /** Their labels, `org/name[@revision]`. */
  models: string[]
  /** Freed bytes. */
  bytes: number
}

/** What a worker reports for one test file. */
export interface FileReport {
  requests: RequestEvent[]
  errors: RequestError[]
  /** The number of mocks that the file got in unit mode; left out if it got none. */
  mocks?: number
  /** Left out if no model was removed. */
  evicted?: Evicted
  /** The plugin overhead in this worker without the lookups, in milliseconds. */
  ownMs?: number
}
