import { modelNameOf, parseRepoId } from '../model/repo-id.ts'
import type { RequestEvent, Workers } from '../model/request.ts'
import { TIERS, type Tier } from '../model/tier.ts'
import { distributionOf, median, sum } from './distribution.ts'
import { loadsOf, loadTimes, sharingOf } from './sharing.ts'
import type { ModelReport, Report } from './types.ts'

export type { ModelReport, Report } from './types.ts'

/** A model that the warm-up of this run downloaded, took from the remote, restored from pack files, or adopted. */
export interface WarmedModel {
  repo: string
  revision: string
  commit: string
  tier: Tier
  files: [path: string, bytes: number][]
  downloadMs: number | null
  downloadedBytes: number
  restoreMs: number | null
  restoredBytes: number
  unpackedBytes: number
  adoptedBytes: number
  repaired: string[]
  /** When the model was requested, in milliseconds since the epoch. */
  at?: number
  /** True for a model that the config declares. */
  isDeclared?: boolean
}

/** A declared model that failed in the warm-up. */
export interface WarmUpFailure {
  repo: string
  model: string
  code: string
  message: string
}

/** A request, the test file that made it, and the workers that could share what was loaded, where these are known. */
export type TestRequest = RequestEvent & { testFile?: string; workers?: Workers }

/** A request that failed. */
export interface FailedRequest {
  model: string
  code: string
  message: string
  testFile?: string
  /** True if its test passed nevertheless. */
  isExpected?: boolean
}

/** The models that were removed during the run and after it. */
export interface Removals {
  evicted: string[]
  expired: string[]
  freedBytes: number
}

export interface ReportInput {
  requests: TestRequest[]
  errors: FailedRequest[]
  /** The declared models that failed in the warm-up. */
  warmUpFailures?: WarmUpFailure[]
  /** True if no run was recorded before. */
  isFirstRun?: boolean
  /** The models of the warm-up. Each downloaded model is one miss, even if no test requested it. */
  warmed: WarmedModel[]
  warmUpMs: number | null
  /** Default null. */
  prediction?: Report['prediction']
  /** Default null. */
  prefetch?: Report['prefetch']
  cache: Report['cache']
  removals?: Removals
  /** The plugin's own time in milliseconds, in the main process and in each process that requested a model. */
  ownMs?: { main: number | null; workers?: number[]; children?: number[] }
  startedAt?: string
  durationMs?: number
  /** Default `integration`. */
  mode?: Report['mode']
  /** How many mocks were given in unit mode. */
  mocks?: number
  /** Default null. */
  threads?: Report['threads']
}

/** Computes the report of a run. Pure. */
export function makeReport({ requests, errors, warmed, warmUpMs, cache, ...run }: ReportInput): Report {
  const groups = new Map<string, { requests: TestRequest[]; warmed: WarmedModel[] }>()
  const groupOf = (of: { repo: string; commit: string }) => {
    const key = `${of.repo}@${of.commit}`
    const group = groups.get(key) ?? { requests: [], warmed: [] }
    groups.set(key, group)
    return group
  }
  for (const request of requests) groupOf(request).requests.push(request)
  for (const model of warmed) groupOf(model).warmed.push(model)
  const computed = [...groups.values()].map((group) => modelReport(group.requests, group.warmed))
  const models = computed.map(({ report }) => report).sort((a, b) => (a.repo < b.repo ? -1 : 1))
  const failures = errors.filter(({ isExpected }) => !isExpected)
  const total = sum(models.map(({ requests }) => requests)) + failures.length
  const misses = models.reduce((sum, model) => sum + (model.tiers.hub ?? 0), 0)
  return {
    schemaVersion: 1,
    ...{ startedAt: run.startedAt ?? null, durationMs: run.durationMs ?? null },
    mode: run.mode ?? 'integration',
    mocks: run.mocks ?? 0,
    requests: total,
    hits: total - misses - failures.length,
    misses,
    failed: failures.length,
    expectedErrors: errors.length - failures.length,
    hitRate: total === 0 ? null : (total - misses - failures.length) / total,
    isFirstRun: run.isFirstRun ?? false,
    tiers: sumOfTiers(models),
    warmUpMs,
    prediction: run.prediction ?? null,
    prefetch: run.prefetch ?? null,
    times: {
      lookup: distributionOf(requests.map(({ lookupMs }) => lookupMs)),
      restore: distributionOf(known([...warmed, ...requests], 'restoreMs')),
      download: distributionOf(known([...warmed, ...requests], 'downloadMs')),
      load: distributionOf(requests.flatMap(loadTimes)),
    },
    ownMs: {
      main: run.ownMs?.main ?? null,
      workers: distributionOf(run.ownMs?.workers ?? []),
      children: distributionOf(run.ownMs?.children ?? []),
    },
    threads: run.threads ?? null,
    savedMs: sumOrNull(computed.flatMap(({ savedMs }) => savedMs ?? [])),
    savedBytes: sum(computed.map(({ savedBytes }) => savedBytes)),
    downloadedBytes: sum(models.map(({ downloadedBytes }) => downloadedBytes)),
    restoredBytes: sum(models.map(({ restoredBytes }) => restoredBytes)),
    unpackedBytes: sum(models.map(({ unpackedBytes }) => unpackedBytes)),
    adoptedBytes: sum(models.map(({ adoptedBytes }) => adoptedBytes)),
    repaired: sum(models.map(({ repaired }) => repaired.length)),
    ...(run.removals ?? { evicted: [], expired: [], freedBytes: 0 }),
    models,
    errors: distinctErrors([...failures, ...untold(run.warmUpFailures ?? [], errors)]),
    errorCounts: Object.fromEntries(countBy(failures.map(({ code }) => code))),
    cache,
  }
}

function sumOfTiers(models: ModelReport[]): Report['tiers'] {
  const sums = TIERS.map((tier) => [tier, sum(models.map(({ tiers }) => tiers[tier] ?? 0))] as const)
  return Object.fromEntries(sums.filter(([, count]) => count > 0))
}

function countBy(keys: string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}

/** The values of a field that are known. */
function known<Key extends string>(of: { [key in Key]: number | null }[], key: Key): number[] {
  return of.flatMap((one) => one[key] ?? [])
}

/** The failures of the warm-up for models that no test requested. The others failed again in a test and are in `errors`. */
function untold(failures: WarmUpFailure[], errors: FailedRequest[]): WarmUpFailure[] {
  const asked = errors.map(({ model }) => model.split(/[@ ]/)[0])
  return failures.filter(({ repo }) => !asked.includes(repo))
}

/** The times of downloads. A request that only waited for the download of another process counts if no process of this run downloaded. */
function downloadTimes(all: { downloadMs: number | null; tier: Tier }[]): number[] {
  const own = all.filter(({ tier }) => tier === 'hub')
  return known(own.length > 0 ? own : all, 'downloadMs')
}

/** Joins equal errors: ten tests that request the same missing model have one error. */
function distinctErrors(errors: (FailedRequest | WarmUpFailure)[]): Report['errors'] {
  const shown = new Map<string, Report['errors'][number]>()
  for (const { model, code, message, ...asked } of errors) {
    const error = shown.get(message) ?? { model, code, message, requests: 0, testFiles: [] }
    shown.set(message, error)
    if ('repo' in asked) continue
    error.requests++
    if (asked.testFile !== undefined && !error.testFiles.includes(asked.testFile)) error.testFiles.push(asked.testFile)
  }
  return [...shown.values()]
}

/**
 * The report of one model. A model that this run downloaded is one miss: its first request is that miss, or the download itself
 * without any request. A saved download counts once in a run, for any number of workers.
 */
function modelReport(requests: TestRequest[], warmed: WarmedModel[]) {
  const wasDownloaded =
    [...warmed, ...requests].some(({ tier }) => tier === 'hub') || requests.some((request) => request.warmedInThisRun)
  const tiers = countTiers(requests, wasDownloaded ? 'hub' : warmed.find(({ tier }) => isBroughtIn(tier))?.tier)
  const files = new Map([...requests, ...warmed].flatMap(({ files }) => files))
  const bytes = sum([...files.values()])
  const recorded = known(requests, 'recordedDownloadMs')
  const { repo, revision, commit } = [...requests, ...warmed][0] ?? { repo: '', revision: '', commit: '' }
  const report: ModelReport = {
    modelName: modelNameOf(parseRepoId(repo)),
    ...{ repo, revision, commit, tiers, bytes },
    requests: sum(Object.values(tiers)),
    lookupMs: median(requests.map(({ lookupMs }) => lookupMs)),
    restoreMs: sumOrNull(known([...warmed, ...requests], 'restoreMs')),
    restoredBytes: sum([...warmed, ...requests].map(({ restoredBytes }) => restoredBytes)),
    unpackedBytes: sum([...warmed, ...requests].map(({ unpackedBytes }) => unpackedBytes)),
    downloadMs: sumOrNull(downloadTimes([...warmed, ...requests])),
    downloadedBytes: sum([...warmed, ...requests].map(({ downloadedBytes }) => downloadedBytes)),
    adoptedBytes: sum([...warmed, ...requests].map(({ adoptedBytes }) => adoptedBytes)),
    repaired: [...new Set([...warmed, ...requests].flatMap(({ repaired }) => repaired))],
    loadMs: median(requests.flatMap(loadTimes)),
    loads: sum(requests.map(loadsOf)),
    loadMsTotal: sum(known(requests, 'loadMs')),
    sharing: sharingOf(requests),
    testFiles: testFilesOf(requests),
  }
  return {
    report,
    savedBytes: wasDownloaded ? 0 : bytes,
    savedMs: wasDownloaded || recorded.length === 0 ? null : Math.max(...recorded),
  }
}

/** The test files that requested a model. The last one requested it last. */
function testFilesOf(requests: TestRequest[]): string[] {
  const inOrder = [...requests].sort((a, b) => b.at - a.at).flatMap(({ testFile }) => testFile ?? [])
  return [...new Set(inOrder)].reverse()
}

/** How many requests each tier served. The tier that the model came from served the first request. A download counts even without a request. */
function countTiers(requests: RequestEvent[], broughtInBy: Tier | undefined): Partial<Record<Tier, number>> {
  const counts = new Map<Tier, number>()
  for (const { tier } of requests) {
    // Two workers that each downloaded a part of the model are one miss.
    const counted = tier === 'hub' ? 'disk' : tier
    counts.set(counted, (counts.get(counted) ?? 0) + 1)
  }
  if (broughtInBy === undefined || (broughtInBy !== 'hub' && !counts.has('disk'))) return Object.fromEntries(counts)
  const first = TIERS.find((tier) => tier !== 'memory' && counts.has(tier)) ?? 'memory'
  const left = (counts.get(first) ?? 1) - 1
  if (left > 0) counts.set(first, left)
  else counts.delete(first)
  counts.set(broughtInBy, (counts.get(broughtInBy) ?? 0) + 1)
  return Object.fromEntries(counts)
}

/** True for the tiers from which a warm-up takes a model, apart from the Hub. */
function isBroughtIn(tier: Tier): boolean {
  return tier === 'adopted' || tier === 'cold' || tier === 'remote'
}

function sumOrNull(values: number[]): number | null {
  return values.length === 0 ? null : sum(values)
}
