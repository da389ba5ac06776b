import type { ErrorCode } from './errors.ts'
import type { Tier } from './tier.ts'

/**
 * One load of one model selection by one process: its file reads, probes and negative answers fold into it.
 * Plain JSON: it crosses from a worker to the main process. Times are milliseconds, null where there was no such step.
 */
export interface RequestEvent {
  repo: string
  revision: string
  commit: string
  tier: Tier
  /** The key of the selection, see `selectionKey`. */
  selection: string
  /** The files of the selection: their paths in the repo and their bytes. */
  files: [path: string, bytes: number][]
  /** When it was asked for, milliseconds since the epoch. */
  at: number
  /** Without what was waited for a download. Of files that are looked up at the same time each moment counts once. */
  lookupMs: number
  restoreMs: number | null
  /** Also what was waited for another that downloads of the same repo: then there are no bytes to it. */
  downloadMs: number | null
  /** Bytes that were downloaded for it. */
  downloadedBytes: number
  /** Bytes that were taken over from another Hugging Face cache for it. */
  adoptedBytes: number
  /** Files that were found changed, and were brought in anew for it. */
  repaired: readonly string[]
  /** What the runtime took to make something usable of the files. */
  loadMs: number | null
  /** What the download took when the model was brought in, as recorded; null where unknown. */
  recordedDownloadMs: number | null
  /** True when this run's warm-up downloaded the model: then the run's first request is the miss. */
  warmedInThisRun: boolean
}

/** A request that failed. */
export interface RequestError {
  model: string
  /**
   * `UNFINISHED`: a test timed out while it waited for the download. `UNSERVED`: a process that a test started could not use
   * the cache.
   */
  code: ErrorCode | 'UNKNOWN' | 'UNFINISHED' | 'UNSERVED'
  message: string
  /** The id of the test that asked; left out where several tests ran, or none did. */
  test?: string
}

/** Models that were removed to make room for others. */
export interface Evicted {
  /** As people name them, `org/name[@revision]`. */
  models: string[]
  /** Bytes that became free. */
  bytes: number
}

/** What a worker reports for one test file. */
export interface FileReport {
  requests: RequestEvent[]
  errors: RequestError[]
  /** Left out where nothing had to go. */
  evicted?: Evicted
  /** What the package took of the worker's time, lookups left out: milliseconds. */
  ownMs?: number
}
