import { TIERS } from '../model/tier.ts'
import { distributionOf, sum } from './distribution.ts'
import type { Distribution, ModelReport, Report, Run } from './types.ts'
import { labelOf } from './words.ts'

const WEEK_MS = 7 * 24 * 3_600_000

/** What runs came to, and what the cache holds: of `stats --json`. Times are milliseconds, null where unknown. */
export interface Statistics {
  schemaVersion: 1
  /** Newest first. */
  runs: RunSummary[]
  totals: Totals
  /** How each model is used: the most used first. */
  models: ModelUse[]
  cache: CacheSummary
}

export interface RunSummary {
  id: string
  /** ISO 8601. */
  startedAt: string
  project: string
  requests: number
  hits: number
  misses: number
  hitRate: number | null
  durationMs: number | null
  warmUpMs: number | null
  savedMs: number | null
  savedBytes: number
  downloadedBytes: number
  removed: number
  repaired: number
  errors: number
  /** What took longest of all that was done for one model, and which. */
  slowest: { model: string; step: 'download' | 'load'; ms: number } | null
}

export interface Totals {
  runs: number
  requests: number
  hits: number
  misses: number
  hitRate: number | null
  tiers: Report['tiers']
  savedMs: number
  savedBytes: number
  downloadedBytes: number
  adoptedBytes: number
  repaired: number
  evicted: number
  expired: number
  errorCounts: Report['errorCounts']
  /** The spread over the runs of what each step took in a run. */
  times: Record<keyof Report['times'], Distribution | null>
}

export interface ModelUse {
  /** `org/name[@revision]` */
  model: string
  runs: number
  requests: number
  usesPerWeek: number
  /** ISO 8601: the start of the last run that used it. */
  lastUsedAt: string
  lastTestFile: string | null
  testFiles: string[]
  bytes: number
  loadMs: number | null
}

/** One model in the cache. */
export interface CachedEntry {
  model: string
  commit: string
  bytes: number
  files: number
  pinned: boolean
  /** ISO 8601. */
  cachedAt: string
  lastUsedAt: string
}

/** What the cache is like now. */
export interface CacheSummary {
  directory: string
  /** Bytes of all models; what two commits of a repo share counts once. */
  size: number
  maxSize: number
  maxAgeMs: number
  /** What the models take as they were downloaded, each by itself. */
  downloadedSize: number
  /** What the disk gives for them. */
  diskBytes: number
  /** `downloadedSize / diskBytes`: above 1 where files are shared or packed; null for an empty cache. */
  efficiency: number | null
  /** Free on that disk; null where unknown. */
  freeBytes: number | null
  entries: CachedEntry[]
}

/** Computes the statistics of runs, newest first. Pure. */
export function makeStatistics(runs: Run[], cache: Omit<CacheSummary, 'efficiency'>, now: number): Statistics {
  const efficiency = cache.diskBytes === 0 ? null : cache.downloadedSize / cache.diskBytes
  return {
    schemaVersion: 1,
    runs: runs.map(summaryOf),
    totals: totalsOf(runs),
    models: usesOf(runs, now),
    cache: { ...cache, efficiency },
  }
}

function summaryOf({ id, startedAt, project, report }: Run): RunSummary {
  const { requests, hits, misses, hitRate, durationMs, warmUpMs, savedMs, savedBytes, models, repaired } = report
  return {
    ...{ id, startedAt, project, requests, hits, misses, hitRate, durationMs, warmUpMs, savedMs, savedBytes, repaired },
    downloadedBytes: sum(models.map(({ downloadedBytes }) => downloadedBytes)),
    removed: report.evicted.length + report.expired.length,
    errors: Math.max(report.errors.length, sum(Object.values(report.errorCounts))),
    slowest: slowestOf(models),
  }
}

function slowestOf(models: ModelReport[]): RunSummary['slowest'] {
  const steps = models.flatMap((of) =>
    (['download', 'load'] as const).map((step) => ({ model: labelOf(of), step, ms: of[`${step}Ms`] ?? 0 })),
  )
  const [slowest] = steps.filter(({ ms }) => ms >= 1).sort((a, b) => b.ms - a.ms)
  return slowest ?? null
}

function totalsOf(runs: Run[]): Totals {
  const reports = runs.map(({ report }) => report)
  const models = reports.flatMap(({ models }) => models)
  const total = (of: (report: Report) => number) => sum(reports.map(of))
  const [requests, hits] = [total(({ requests }) => requests), total(({ hits }) => hits)]
  const step = (name: keyof Report['times']) => distributionOf(reports.flatMap(({ times }) => times[name]?.total ?? []))
  return {
    ...{ runs: runs.length, requests, hits, misses: total(({ misses }) => misses) },
    hitRate: requests === 0 ? null : hits / requests,
    tiers: tiersOf(models),
    savedMs: total(({ savedMs }) => savedMs ?? 0),
    savedBytes: total(({ savedBytes }) => savedBytes),
    // Of the models: runs that were recorded by an older version have it there alone.
    downloadedBytes: sum(models.map(({ downloadedBytes }) => downloadedBytes)),
    adoptedBytes: sum(models.map(({ adoptedBytes }) => adoptedBytes)),
    repaired: sum(models.map(({ repaired }) => repaired.length)),
    evicted: total(({ evicted }) => evicted.length),
    expired: total(({ expired }) => expired.length),
    errorCounts: errorsOf(reports),
    times: { lookup: step('lookup'), restore: step('restore'), download: step('download'), load: step('load') },
  }
}

function tiersOf(models: ModelReport[]): Report['tiers'] {
  const sums = TIERS.map((tier) => [tier, sum(models.map(({ tiers }) => tiers[tier] ?? 0))] as const)
  return Object.fromEntries(sums.filter(([, number]) => number > 0))
}

function errorsOf(reports: Report[]): Report['errorCounts'] {
  const counts = new Map<string, number>()
  for (const { errorCounts, errors } of reports) {
    const known = Object.entries(errorCounts)
    for (const [code, number] of known.length > 0 ? known : errors.map(({ code }) => [code, 1] as const))
      counts.set(code, (counts.get(code) ?? 0) + number)
  }
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a))
}

function usesOf(runs: Run[], now: number): ModelUse[] {
  const oldest = Math.min(now, ...runs.map(({ startedAt }) => Date.parse(startedAt)))
  // What ran for a day says nothing of a whole week but that.
  const weeks = Math.max(1, (now - oldest) / WEEK_MS)
  const uses = new Map<string, ModelUse>()
  for (const run of runs)
    for (const model of run.report.models) {
      const label = labelOf(model)
      const use = uses.get(label) ?? newUse(label, model, run)
      use.runs++
      use.requests += model.requests
      use.usesPerWeek = use.requests / weeks
      use.testFiles = [...new Set([...use.testFiles, ...testFilesOf(model, run)])]
      use.lastTestFile ??= testFilesOf(model, run).at(-1) ?? null
      use.loadMs ??= model.loadMs
      uses.set(label, use)
    }
  return [...uses.values()].sort((a, b) => b.requests - a.requests || (a.model < b.model ? -1 : 1))
}

/** As its newest run knows it. */
function newUse(label: string, { bytes }: ModelReport, { startedAt }: Run): ModelUse {
  const counts = { runs: 0, requests: 0, usesPerWeek: 0 }
  return { model: label, ...counts, lastUsedAt: startedAt, lastTestFile: null, testFiles: [], bytes, loadMs: null }
}

function testFilesOf(model: ModelReport, { used }: Run): string[] {
  if (model.testFiles.length > 0) return model.testFiles
  return used.filter((use) => labelOf(use) === labelOf(model)).flatMap(({ testFiles }) => testFiles)
}
