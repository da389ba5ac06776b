import { modelNameOf, parseRepoId } from '../model/repo-id.ts'
import type { RequestError, RequestEvent } from '../model/request.ts'
import { TIERS, type Tier } from '../model/tier.ts'

/** The report of one run, as it is written to `report.outputFile`. Times are milliseconds, null where unknown. */
export interface Report {
  schemaVersion: 1
  requests: number
  hits: number
  misses: number
  /** 0 to 1; null without requests. */
  hitRate: number | null
  warmUpMs: number | null
  /** What the downloads would have taken that this run was spared, as recorded; null where none is known. */
  savedMs: number | null
  savedBytes: number
  models: ModelReport[]
  errors: RequestError[]
  cache: { directory: string; size: number; maxSize: number; entries: number } | null
}

export interface ModelReport {
  modelName: string
  repo: string
  revision: string
  commit: string
  /** How many requests each tier served. */
  tiers: Partial<Record<Tier, number>>
  requests: number
  /** Of all files that were asked for. */
  bytes: number
  /** The median over the requests. */
  lookupMs: number | null
  restoreMs: number | null
  /** What this run's download took. */
  downloadMs: number | null
  /** What this run downloaded of it. */
  downloadedBytes: number
  /** What this run took over from the user's own Hugging Face cache. */
  adoptedBytes: number
  /** Files that this run found changed in the cache, and brought in anew. */
  repaired: string[]
  /** The median over the loads. */
  loadMs: number | null
}

/** A model that the warm-up brought in in this run. */
export interface WarmedModel {
  repo: string
  revision: string
  commit: string
  tier: Tier
  files: [path: string, bytes: number][]
  downloadMs: number | null
  downloadedBytes: number
  adoptedBytes: number
  repaired: string[]
}

export interface ReportInput {
  requests: RequestEvent[]
  errors: RequestError[]
  /** What the warm-up brought in: each that was downloaded is one miss, whether it was asked for or not. */
  warmed: WarmedModel[]
  warmUpMs: number | null
  cache: Report['cache']
}

/** Computes the report of a run. Pure. */
export function makeReport({ requests, errors, warmed, warmUpMs, cache }: ReportInput): Report {
  const groups = new Map<string, { requests: RequestEvent[]; warmed: WarmedModel[] }>()
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
  const total = models.reduce((sum, model) => sum + model.requests, 0)
  const misses = models.reduce((sum, model) => sum + (model.tiers.hub ?? 0), 0)
  const saved = computed.flatMap(({ savedMs }) => savedMs ?? [])
  return {
    schemaVersion: 1,
    requests: total,
    hits: total - misses,
    misses,
    hitRate: total === 0 ? null : (total - misses) / total,
    warmUpMs,
    savedMs: saved.length === 0 ? null : saved.reduce((sum, ms) => sum + ms, 0),
    savedBytes: computed.reduce((sum, { savedBytes }) => sum + savedBytes, 0),
    models,
    errors: distinctErrors(errors),
    cache,
  }
}

/** Ten tests that ask for the same missing model have one error to show. */
function distinctErrors(errors: RequestError[]): RequestError[] {
  return [...new Map(errors.map((error) => [error.message, error])).values()]
}

/**
 * One model. It was downloaded in this run or not: downloaded is one miss, and its first request is that miss; without
 * any request the download itself counts. A spared download is counted once a run, however many workers it served.
 */
function modelReport(requests: RequestEvent[], warmed: WarmedModel[]) {
  const wasDownloaded =
    [...warmed, ...requests].some(({ tier }) => tier === 'hub') || requests.some((request) => request.warmedInThisRun)
  const wasAdopted = !wasDownloaded && warmed.some(({ tier }) => tier === 'adopted')
  const tiers = countTiers(requests, wasDownloaded ? 'hub' : wasAdopted ? 'adopted' : undefined)
  const files = new Map([...requests, ...warmed].flatMap(({ files }) => files))
  const bytes = [...files.values()].reduce((sum, size) => sum + size, 0)
  const recorded = requests.flatMap(({ recordedDownloadMs }) => recordedDownloadMs ?? [])
  const downloads = [...warmed, ...requests].flatMap(({ downloadMs }) => downloadMs ?? [])
  const { repo, revision, commit } = [...requests, ...warmed][0] ?? { repo: '', revision: '', commit: '' }
  const report: ModelReport = {
    modelName: modelNameOf(parseRepoId(repo)),
    ...{ repo, revision, commit, tiers, bytes },
    requests: Object.values(tiers).reduce((sum, count) => sum + count, 0),
    lookupMs: median(requests.map(({ lookupMs }) => lookupMs)),
    restoreMs: sumOrNull(requests.flatMap(({ restoreMs }) => restoreMs ?? [])),
    downloadMs: sumOrNull(downloads),
    downloadedBytes: [...warmed, ...requests].reduce((sum, { downloadedBytes }) => sum + downloadedBytes, 0),
    adoptedBytes: [...warmed, ...requests].reduce((sum, { adoptedBytes }) => sum + adoptedBytes, 0),
    repaired: [...new Set([...warmed, ...requests].flatMap(({ repaired }) => repaired))],
    loadMs: median(requests.flatMap(({ loadMs }) => loadMs ?? [])),
  }
  return {
    report,
    savedBytes: wasDownloaded ? 0 : bytes,
    savedMs: wasDownloaded || recorded.length === 0 ? null : Math.max(...recorded),
  }
}

/** How often each tier served. What brought the model in served the first request, and a download counts without any. */
function countTiers(
  requests: RequestEvent[],
  broughtInBy: 'hub' | 'adopted' | undefined,
): Partial<Record<Tier, number>> {
  const counts = new Map<Tier, number>()
  for (const { tier } of requests) {
    // Two workers that each downloaded some of it made one miss together.
    const counted = tier === 'hub' ? 'disk' : tier
    counts.set(counted, (counts.get(counted) ?? 0) + 1)
  }
  if (broughtInBy === undefined || (broughtInBy === 'adopted' && !counts.has('disk'))) return Object.fromEntries(counts)
  const first = TIERS.find((tier) => tier !== 'memory' && counts.has(tier)) ?? 'memory'
  const left = (counts.get(first) ?? 1) - 1
  if (left > 0) counts.set(first, left)
  else counts.delete(first)
  counts.set(broughtInBy, (counts.get(broughtInBy) ?? 0) + 1)
  return Object.fromEntries(counts)
}

function median(values: number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  return low === undefined || high === undefined ? null : (low + high) / 2
}

function sumOrNull(values: number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0)
}
