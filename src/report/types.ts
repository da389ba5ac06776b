import type { Tier } from '../model/tier.ts'

// The types that `schema.ts` checks, as interfaces: users of the package see them without a schema library.
// `test/report/schema.test.ts` compares both.

/** The distribution of measurements, in milliseconds except for `count`. */
export interface Distribution {
  /** The number of measurements. */
  count: number
  /** Their sum. */
  total: number
  /** The median. */
  p50: number
  /** The 95th percentile. */
  p95: number
  max: number
}

/** What it would spare if test files shared a loaded model: at least, and about, because only the loads of the run are known. */
export interface Sharing {
  /**
   * What it takes. `isolate`: the option `isolate: false`. `module`: a module that the test files import and that holds the model.
   * `isolate-module`: both. `models`: to load it by `models`. `file`: to load it once in each test file. `options`: to ask with the
   * same options each time.
   */
  by: 'isolate' | 'isolate-module' | 'module' | 'models' | 'file' | 'options'
  /** How many workers would load it, at most. */
  workers: number
  /** The loads that it would spare. */
  loads: number
  /** The time of so many loads, by the mean of the loads in this run. */
  ms: number
}

/** One model in the report of a run. Times are in milliseconds. Null means that there was no such step. */
export interface ModelReport {
  /** `org_name`, for people. It is not unique. */
  modelName: string
  repo: string
  revision: string
  commit: string
  /** The number of requests that each tier served. `hub` counts the misses. */
  tiers: { [tier in Tier]?: number }
  requests: number
  /** Bytes of all requested files. */
  bytes: number
  /** The median of the lookups. */
  lookupMs: number | null
  /** The sum of all restores: the time of reading it from the remote. */
  restoreMs: number | null
  /** Bytes of it that this run read from the remote. */
  restoredBytes: number
  /** Bytes of it that this run restored from pack files. */
  unpackedBytes: number
  /** The time of the download in this run. */
  downloadMs: number | null
  /** Bytes of it that this run downloaded. */
  downloadedBytes: number
  /** Bytes of it that this run took from the user's own Hugging Face cache. */
  adoptedBytes: number
  /** Files that had changed in the cache and were downloaded, restored or copied again. */
  repaired: string[]
  /** The median of the loads. */
  loadMs: number | null
  /** How often a runtime loaded it, in all workers and child processes. A model of several files counts as one. */
  loads: number
  /** The time of all loads together. Loads at the same time in several processes are added up. */
  loadMsTotal: number
  /** Null if sharing would spare no load, or if that is not known. */
  sharing: Sharing | null
  /** The test files that requested it, in the order of their last requests. */
  testFiles: string[]
}

/** The report of one run, as it is written to `report.outputFile`. Times are in milliseconds, null if unknown. */
export interface Report {
  schemaVersion: 1
  /** ISO 8601. */
  startedAt: string | null
  /** From the start of the warm-up to the end of the tests. */
  durationMs: number | null
  /** `unit`: tests got mocks, and no model was loaded. */
  mode: 'integration' | 'unit'
  /** The number of mocks that tests got in unit mode. */
  mocks: number
  /** Hits, misses and failed requests. */
  requests: number
  hits: number
  /** Models that were downloaded in this run, by the warm-up or on demand. */
  misses: number
  /** Failed requests whose tests failed. */
  failed: number
  /** Failed requests whose tests passed, because they expected the failure. */
  expectedErrors: number
  /** Hits divided by requests, 0 to 1. Null without requests. A failed request is not a hit. */
  hitRate: number | null
  /** True if no run of the project was recorded in this cache before. */
  isFirstRun: boolean
  /** The number of requests that each tier served. */
  tiers: { [tier in Tier]?: number }
  warmUpMs: number | null
  /** The models that were predicted and used, predicted and not used, used and not predicted. Null if nothing was predicted. */
  prediction: { used: string[]; unused: string[]; unpredicted: string[] } | null
  /**
   * The downloads during which tests ran: how long before the end of the last one the tests began, the models that arrived, and those
   * whose download was not at its end when the tests were. Null if all models were there before the tests.
   */
  prefetch: { aheadMs: number; models: string[]; unfinished: string[] } | null
  /** The times of each step. Null if there was no such step. */
  times: {
    lookup: Distribution | null
    restore: Distribution | null
    download: Distribution | null
    load: Distribution | null
  }
  /** The plugin's own time: in the main process, in the workers that requested a model, and in the child processes that did. */
  ownMs: { main: number | null; workers: Distribution | null; children: Distribution | null }
  /** The option `threads` of the projects whose tests loaded models. `shared` if one of them has it. Null if no model was loaded. */
  threads: 'shared' | 'as-is' | null
  /** The recorded time of the downloads that were not needed again. */
  savedMs: number | null
  /** Bytes. */
  savedBytes: number
  /** Bytes. */
  downloadedBytes: number
  /** Bytes that came from the remote. */
  restoredBytes: number
  /** Bytes that were restored from pack files. */
  unpackedBytes: number
  /** Bytes. */
  adoptedBytes: number
  /** The number of files that had changed in the cache and were downloaded, restored or copied again. */
  repaired: number
  /** Models that were removed for size. */
  evicted: string[]
  /** Models that were removed for age. */
  expired: string[]
  /** Bytes that these removals freed. */
  freedBytes: number
  models: ModelReport[]
  /** The failures that no test expected. Equal failures are listed once. `requests` is 0 if only the warm-up failed. */
  errors: { model: string; code: string; message: string; requests: number; testFiles: string[] }[]
  /** The number of failed requests by code, without those that a test expected. */
  errorCounts: Record<string, number>
  cache: { directory: string; size: number; maxSize: number; entries: number } | null
}

/** One request, or one model of the warm-up, with the time of each step. */
export interface Span {
  /** `org/name[@revision]` */
  model: string
  /** Null for the warm-up. */
  testFile: string | null
  tier: Tier
  /** The time of the request, in milliseconds since the epoch. */
  at: number
  /** Milliseconds of each step, in the order of the steps. */
  steps: { lookup: number; restore: number; download: number; load: number }
  bytes: number
}

/** The record of a run under `runs/`. */
export interface Run {
  id: string
  /** ISO 8601. */
  startedAt: string
  project: string
  used: { repo: string; revision: string; testFiles: string[]; files: string[] }[]
  report: Report
  timeline: Span[]
}
