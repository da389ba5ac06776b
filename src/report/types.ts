import type { Tier } from '../model/tier.ts'

// What `schema.ts` checks, as interfaces: those who use the package see them, and need no schema library for it.
// `test/report/schema.test.ts` compares.

/** The spread of some measurements: milliseconds, but for `count`. */
export interface Distribution {
  /** How many were measured. */
  count: number
  /** Their sum. */
  total: number
  /** The median. */
  p50: number
  /** 95 of 100 took no longer. */
  p95: number
  max: number
}

/** One model in the report of a run. Times are milliseconds, null where there was no such step. */
export interface ModelReport {
  /** For people, `org_name`; never a key. */
  modelName: string
  repo: string
  revision: string
  commit: string
  /** How many requests each tier served; `hub` are the misses. */
  tiers: { [tier in Tier]?: number }
  requests: number
  /** Bytes of all files that were asked for. */
  bytes: number
  /** The median over the requests. */
  lookupMs: number | null
  /** The sum. */
  restoreMs: number | null
  /** What this run's download took. */
  downloadMs: number | null
  /** Bytes that this run downloaded of it. */
  downloadedBytes: number
  /** Bytes that this run took over from the user's own Hugging Face cache. */
  adoptedBytes: number
  /** Files that were found changed in the cache, and brought in anew. */
  repaired: string[]
  /** The median over the loads. */
  loadMs: number | null
  /** How often a runtime loaded it. */
  loads: number
  /** What these loads took together. */
  loadMsTotal: number
  /** Who asked for it, in the order of their last requests. */
  testFiles: string[]
}

/** The report of one run, as it is written to `report.outputFile`. Times are milliseconds, null where unknown. */
export interface Report {
  schemaVersion: 1
  /** ISO 8601. */
  startedAt: string | null
  /** From the start of the warm-up to the end of the tests. */
  durationMs: number | null
  /** `unit`: tests were given mocks, and no model was loaded. */
  mode: 'integration' | 'unit'
  /** How many mocks the tests were given in unit mode. */
  mocks: number
  /** Hits, misses and what failed. */
  requests: number
  hits: number
  /** Models that were downloaded in this run, by the warm-up or on demand. */
  misses: number
  /** Requests that failed, and whose tests failed. */
  failed: number
  /** Requests that failed, and whose tests passed: they expected it. */
  expectedErrors: number
  /** Hits by requests, 0 to 1; null without requests. What failed is no hit. */
  hitRate: number | null
  /** True when no run of the project was recorded in this cache before. */
  isFirstRun: boolean
  /** How many requests each tier served. */
  tiers: { [tier in Tier]?: number }
  warmUpMs: number | null
  /** What each step took; null where there was none. */
  times: {
    lookup: Distribution | null
    restore: Distribution | null
    download: Distribution | null
    load: Distribution | null
  }
  /** What this package took of the processes' time: of the main process, of workers that asked for a model, and of such children. */
  ownMs: { main: number | null; workers: Distribution | null; children: Distribution | null }
  /** What the spared downloads would have taken, as recorded. */
  savedMs: number | null
  /** Bytes. */
  savedBytes: number
  /** Bytes. */
  downloadedBytes: number
  /** Bytes. */
  adoptedBytes: number
  /** How many files were found changed in the cache, and brought in anew. */
  repaired: number
  /** Models that were removed for size. */
  evicted: string[]
  /** Models that were removed for age. */
  expired: string[]
  /** Bytes that became free by that. */
  freedBytes: number
  models: ModelReport[]
  /** What failed, but for what a test expected; those alike are named once. Without requests: the warm-up failed at it. */
  errors: { model: string; code: string; message: string; requests: number; testFiles: string[] }[]
  /** How many requests failed, by code, but for those that a test expected. */
  errorCounts: Record<string, number>
  cache: { directory: string; size: number; maxSize: number; entries: number } | null
}

/** One request, or one model of the warm-up, with what each of its steps took. */
export interface Span {
  /** `org/name[@revision]` */
  model: string
  /** Null for the warm-up. */
  testFile: string | null
  tier: Tier
  /** When it was asked for: milliseconds since the epoch. */
  at: number
  /** Milliseconds, one step after the other. */
  steps: { lookup: number; restore: number; download: number; load: number }
  bytes: number
}

/** What is kept of a run under `runs/`. */
export interface Run {
  id: string
  /** ISO 8601. */
  startedAt: string
  project: string
  used: { repo: string; revision: string; testFiles: string[]; files: string[] }[]
  report: Report
  timeline: Span[]
}
