import { TIERS } from '../model/tier.ts'
import { distributionOf, sum } from './distribution.ts'
import type { Distribution, ModelReport, Report, Run } from './types.ts'
import { labelOf } from './words.ts'

const WEEK_MS = 7 * 24 * 3_600_000

/** The statistics of runs and of the cache, as `stats --json` prints them. Times are in milliseconds, null if unknown. */
export interface Statistics {
  schemaVersion: 1
  /** The newest is first. */
  runs: RunSummary[]
  totals: Totals
  /** How each model is used. The most used is first. */
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
  /** The longest step of one model. */
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
  restoredBytes: number
  unpackedBytes: number
  adoptedBytes: number
  repaired: number
  evicted: number
  expired: number
  errorCounts: Report['errorCounts']
  /** The distribution, over the runs, of the time of each step in a run. */
  times: Record<keyof Report['times'], Distribution | null>
}

export interface ModelUse {
  /** `org/name[@revision]` */
  model: string
  runs: number
  requests: number
  usesPerWeek: number
  /** The start of the last run that used it, ISO 8601. */
  lastUsedAt: string
  lastTestFile: string | null
  testFiles: string[]
  bytes: number
  /** The median of the loads of the newest run that loaded it. */
  loadMs: number | null
  /** How often a runtime loaded it, and the time of these loads together. */
  loads: number
  loadMsTotal: number
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

/** The current state of the cache. */
export interface CacheSummary {
  directory: string
  /** Bytes of all models. A file that two commits of a repo share counts once. */
  size: number
  maxSize: number
  maxAgeMs: number
  /** The sum of the bytes of all models, without sharing. */
  downloadedSize: number
  /** The bytes that the models use on disk. */
  diskBytes: number
  /** `downloadedSize / diskBytes`: above 1 if files are shared or packed. Null for an empty cache. */
  efficiency: number | null
  /** Free bytes on that disk. Null if unknown. */
  freeBytes: number | null
  entries: CachedEntry[]
}

/** Computes the statistics of `runs`, of which the newest is first. Pure. */
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
    // Summed over the models: the records of older versions have no total.
    downloadedBytes: sum(models.map(({ downloadedBytes }) => downloadedBytes)),
    restoredBytes: sum(models.map(({ restoredBytes }) => restoredBytes)),
    unpackedBytes: sum(models.map(({ unpackedBytes }) => unpackedBytes)),
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
  // Runs of less than a week are not extrapolated.
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
      use.loads += model.loads
      use.loadMsTotal += model.loadMsTotal
      uses.set(label, use)
    }
  return [...uses.values()].sort((a, b) => b.requests - a.requests || (a.model < b.model ? -1 : 1))
}

/** The use of a model, with the fields of its newest run. */
function newUse(label: string, { bytes }: ModelReport, { startedAt }: Run): ModelUse {
  const counts = { runs: 0, requests: 0, usesPerWeek: 0, loads: 0, loadMsTotal: 0 }
  return { model: label, ...counts, lastUsedAt: startedAt, lastTestFile: null, testFiles: [], bytes, loadMs: null }
}

function testFilesOf(model: ModelReport, { used }: Run): string[] {
  if (model.testFiles.length > 0) return model.testFiles
  return used.filter((use) => labelOf(use) === labelOf(model)).flatMap(({ testFiles }) => testFiles)
}
