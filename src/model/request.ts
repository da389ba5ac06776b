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
  /** The time of reading from the remote. Null if nothing came from it, or if the rest was downloaded meanwhile. */
  restoreMs: number | null
  /** Bytes that this request read from the remote. */
  restoredBytes: number
  /** Bytes that this request restored from the pack files. */
  unpackedBytes: number
  /** Includes the wait for another process that downloads the same repo. A request that only waited has 0 `downloadedBytes`. */
  downloadMs: number | null
  /** Bytes that this request downloaded. */
  downloadedBytes: number
  /** Bytes that this request adopted from another Hugging Face cache. */
  adoptedBytes: number
  /** Files that had changed on disk, and that this request downloaded or restored again. */
  repaired: readonly string[]
  /** The time in which the runtime loaded the model from the files. */
  loadMs: number | null
  /**
   * How often the runtime loaded the model. A model of several files counts by the file that was loaded most often. Left out by
   * older versions, which reported a load only by its time.
   */
  loads?: number
  /** True if the worker keeps the loaded model, and returns it when the same arguments are asked for again. */
  isKept?: boolean
  /** The recorded time of the model's download, in this run or an earlier one; null where unknown. */
  recordedDownloadMs: number | null
  /** True when the warm-up of this run downloaded the model: the run's first request of it then counts as the miss. */
  warmedInThisRun: boolean
}

/** The steps of a request for which nothing had to be done but the lookup. */
export const NO_STEPS = {
  restoreMs: null,
  restoredBytes: 0,
  unpackedBytes: 0,
  downloadMs: null,
  downloadedBytes: 0,
  adoptedBytes: 0,
  repaired: [],
  loadMs: null,
  loads: 0,
} satisfies Partial<RequestEvent>

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

/** The workers of one project in one run of tests. */
export interface Workers {
  /** A key: workers with different keys can't share anything. */
  group: string
  /** The largest number of workers at a time. */
  most: number
  /** True if each test file has a worker of its own, and the runner can let test files share a worker. */
  isIsolated: boolean
  /** True if each test file has modules of its own, while the test files of a worker share what `models` has loaded. */
  sharesOnlyModels?: boolean
}

/** What a worker reports for one test file. */
export interface FileReport {
  requests: RequestEvent[]
  errors: RequestError[]
  /** Left out if test files can't share what a worker has loaded, or if that is not known. */
  workers?: Workers
  /** The number of mocks that the file got in unit mode; left out if it got none. */
  mocks?: number
  /** Left out if no model was removed. */
  evicted?: Evicted
  /** The plugin overhead in this worker without the lookups, in milliseconds. */
  ownMs?: number
}

/** True if there is nothing to report of a test file. */
export function isEmpty({ requests, errors, mocks, evicted }: FileReport): boolean {
  return requests.length === 0 && errors.length === 0 && mocks === undefined && evicted === undefined
}
