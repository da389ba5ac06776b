import { bytesOf, type Entry, entrySize, hasPacked, packedContents } from '../../model/entry.ts'
import { isCount, isObject } from '../../model/json.ts'
import { groupBy } from '../../platform/group-by.ts'
import { isoNow } from '../../platform/originals.ts'
import type { CacheContext } from '../context/context.ts'
import { listEntries } from '../lookup/list-entries.ts'
import { compiledCode } from '../store/compile-cache.ts'
import { type Amount, addTo, findIncomplete } from '../store/downloads/leftovers.ts'
import { type RunRecord, readAllRuns } from '../store/entries/runs.ts'
import { totalSize } from '../store/entries/used-bytes.ts'
import { liveRuns } from '../store/locks/leases.ts'
import { maintainedAt } from '../store/maintained.ts'
import { freeBytes } from './disk-use.ts'

const RUNS_SHOWN = 30

/** The requests of one or several runs. */
export interface RunCounts {
  runs: number
  requests: number
  hits: number
  misses: number
  /** Hits divided by requests, 0 to 1. Null without requests. */
  hitRate: number | null
}

/** A number of models, and their bytes on disk. */
interface ModelAmount {
  models: number
  bytes: number
}

/** The state of the cache: its models, their use, its runs, and its disk. */
export interface CacheStatus {
  /** The cache folder. */
  directory: string
  /** Bytes on disk of all models. */
  bytes: number
  /** The size limit in bytes. */
  maxBytes: number
  /** Number of models. */
  models: number
  /** The number of models of each endpoint, the largest number first. `endpoint` is null for models whose endpoint is not known. */
  endpoints: { endpoint: string | null; models: number }[]
  /** Number of pinned models. */
  pinned: number
  /** Number of files of all models. */
  files: number
  /** The savings by shared blobs: how many further files refer to a blob that another model has already, and their bytes. */
  shared: Amount
  /** The packed models: their number, the bytes that they take, and the bytes of their files when they are restored. */
  packed: { models: number; bytes: number; contentBytes: number }
  /** The models with the oldest and the newest last use. Null in an empty cache. */
  oldest: { model: string; commit: string; lastAccessDate: string } | null
  newest: { model: string; commit: string; lastAccessDate: string } | null
  /** The last run of any project; null before the first. */
  lastRun: (RunCounts & { startedAt: string; project: string }) | null
  /** The last 30 runs of all projects together. */
  lastRuns: RunCounts
  /** Null when the file system does not say. */
  disk: { freeBytes: number } | null
  /** Unfinished downloads: `left` ones have no live writer, `underWay` ones may have one. */
  incoming: { left: Amount; underWay: Amount }
  /** The compiled code of modules that workers load. It does not count for the size limit. */
  code: Amount
  /** What maintenance has to do, and when it was last complete (ISO 8601; null before the first time). Models in use are left out. */
  maintenance: { completedAt: string | null } & Record<'toExpire' | 'toEvict' | 'toPack', ModelAmount>
  /** The number of live test runs, and how many models they claim. */
  leases: { runs: number; models: number }
  /** ISO 8601: when the status was taken. */
  takenAt: string
}

/** Returns what maintenance has to do for these entries, of which `leased` are in use. */
type LookDue = (
  context: CacheContext,
  entries: Entry[],
  leased: ReadonlySet<string>,
) => Record<'expired' | 'evicted' | 'toPack', Entry[]>

/** Reads the state of the cache from its metadata, run records, leases and folders. Opens no model files. */
export async function cacheStatus(context: CacheContext, lookDue: LookDue): Promise<CacheStatus> {
  const { layout, options } = context
  const [entries, runs, live, incomplete, free] = await Promise.all([
    listEntries(context),
    // A run of several projects has several records.
    readAllRuns(layout, 4 * RUNS_SHOWN, () => true),
    liveRuns(layout),
    findIncomplete(layout),
    freeBytes(layout),
  ])
  const bytes = totalSize(entries)
  const [oldest, newest] = oldestAndNewest(entries)
  // The ids of one run's records differ only in their last part.
  const byRun = groupBy(runs, ({ id }) => id.replace(/-\d+$/, ''))
  const counted = [...byRun.values()].slice(0, RUNS_SHOWN)
  const [last] = counted[0] ?? []
  const leased = new Set([...live.values()].flatMap((keys) => [...keys]))
  return {
    directory: layout.directory,
    bytes,
    maxBytes: options.maxSize,
    models: entries.length,
    endpoints: endpointsOf(entries),
    pinned: entries.filter(({ pinned }) => pinned).length,
    files: entries.reduce((sum, { files }) => sum + files.size, 0),
    shared: sharedBlobs(entries, bytes),
    packed: packedOf(entries),
    oldest: useOf(oldest),
    newest: useOf(newest),
    lastRun: last ? { startedAt: last.startedAt, project: last.project, ...sumUp(counted.slice(0, 1)) } : null,
    lastRuns: sumUp(counted),
    disk: free === null ? null : { freeBytes: free },
    incoming: { left: amountOf(incomplete.free), underWay: amountOf(incomplete.held) },
    code: compiledCode(layout),
    maintenance: maintenanceOf(context, lookDue(context, entries, leased)),
    leases: { runs: live.size, models: leased.size },
    takenAt: isoNow(),
  }
}

function maintenanceOf(
  { layout }: CacheContext,
  { expired, evicted, toPack }: ReturnType<LookDue>,
): CacheStatus['maintenance'] {
  const amount = (all: Entry[]) => ({ models: all.length, bytes: totalSize(all) })
  return {
    completedAt: maintainedAt(layout),
    ...{ toExpire: amount(expired), toEvict: amount(evicted), toPack: amount(toPack) },
  }
}

function packedOf(entries: Entry[]): CacheStatus['packed'] {
  const packed = { models: 0, bytes: 0, contentBytes: 0 }
  for (const entry of entries.filter(hasPacked)) {
    packed.models++
    for (const file of packedContents(entry).values()) {
      packed.bytes += bytesOf(file)
      packed.contentBytes += file.size
    }
  }
  return packed
}

function endpointsOf(entries: Entry[]): CacheStatus['endpoints'] {
  const groups = groupBy(entries, ({ endpoint = null }) => endpoint)
  return [...groups].map(([endpoint, { length: models }]) => ({ endpoint, models })).sort((a, b) => b.models - a.models)
}

/** The entries with the oldest and the newest last use. */
function oldestAndNewest(entries: Entry[]): [Entry | undefined, Entry | undefined] {
  const dated = entries.map((entry) => ({ entry, at: Date.parse(entry.lastAccessDate) }))
  const [first] = dated
  if (!first) return [undefined, undefined]
  const oldest = dated.reduce((a, b) => (b.at < a.at ? b : a), first)
  return [oldest.entry, dated.reduce((a, b) => (b.at >= a.at ? b : a), first).entry]
}

function useOf(entry: Entry | undefined): CacheStatus['oldest'] {
  return entry ? { model: entry.repo, commit: entry.commit, lastAccessDate: entry.lastAccessDate } : null
}

/** The bytes of all models without sharing, minus the bytes that they take. */
function sharedBlobs(entries: Entry[], taken: number): Amount {
  const bytes = entries.reduce((sum, entry) => sum + entrySize(entry), 0) - taken
  if (bytes <= 0) return { files: 0, bytes }
  const seen = new Set<string>()
  let users = 0
  for (const { files } of entries) {
    const own = new Set([...files.values()].map(({ digest }) => digest))
    for (const digest of own) seen.add(digest)
    users += own.size
  }
  return { files: users - seen.size, bytes }
}

function amountOf(files: { bytes: number }[]): Amount {
  const amount = { files: 0, bytes: 0 }
  for (const { bytes } of files) addTo(amount, bytes)
  return amount
}

function sumUp(runs: RunRecord[][]): RunCounts {
  const sum = { runs: 0, requests: 0, hits: 0, misses: 0 }
  for (const run of runs) {
    const counts = run.flatMap(countsOf)
    if (counts.length > 0) sum.runs++
    for (const { requests, hits, misses } of counts) {
      sum.requests += requests
      sum.hits += hits
      sum.misses += misses
    }
  }
  return { ...sum, hitRate: sum.requests === 0 ? null : sum.hits / sum.requests }
}

/** The counts in the report of a run's record. Empty for a damaged record. */
function countsOf({ report }: RunRecord): { requests: number; hits: number; misses: number }[] {
  if (!isObject(report)) return []
  const { requests, hits, misses } = report
  return isCount(requests) && isCount(hits) && isCount(misses) ? [{ requests, hits, misses }] : []
}
