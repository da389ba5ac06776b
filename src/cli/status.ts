import type { CacheStatus, RunCounts } from '../cache/inspect/status.ts'
import type { Amount } from '../cache/store/downloads/leftovers.ts'
import { readLockFile } from '../config/lock-file.ts'
import type { Options } from '../config/options.ts'
import { formatAge, formatSize } from '../config/units.ts'
import { messageOf } from '../model/errors.ts'
import { originals } from '../platform/originals.ts'
import { joinParts, unbroken } from '../report/lines.ts'
import { count, percent } from '../report/words.ts'
import { type GlobalOptions, type OpenedCache, openCache } from './open-cache.ts'
import { printJson } from './show/json.ts'
import { printLines } from './show/print.ts'
import { columnsOf, paint } from './show/style.ts'

const NAME_WIDTH = 10

/** Prints where the cache is and what says so, how full it is, and how well it serves. */
export async function status(options: GlobalOptions): Promise<number> {
  const opened = await openCache(options)
  const found = await opened.cache.status()
  if (options.json) printJson({ from: opened.origin, ...found, lockFile: lockStatus(opened.options) ?? null })
  else printStatus(opened, found)
  return 0
}

export function printStatus({ origin, options }: Pick<OpenedCache, 'origin' | 'options'>, found: CacheStatus): void {
  const columns = columnsOf() ?? Number.POSITIVE_INFINITY
  const lines = [...statusLines(origin, found), ...lockLine(lockStatus(options))]
  for (const [name, text] of lines) {
    const [first, ...others] = joinParts(text.split(' · '), columns - NAME_WIDTH - 1, '')
    printLines(`${paint('dim', name.padEnd(NAME_WIDTH))} ${first}`)
    for (const line of others) printLines(`${' '.repeat(NAME_WIDTH)} ${line}`)
  }
}

function statusLines(origin: string, found: CacheStatus): [string, string][] {
  const { bytes, maxBytes, models, pinned, files, shared, incoming, code, leases, lastRun, lastRuns, disk } = found
  const share = maxBytes === 0 ? '' : ` (${Math.round((bytes / maxBytes) * 100)}%)`
  const lines: [string, string | undefined][] = [
    ['cache', `${unbroken(found.directory)} (by ${origin})`],
    ['size', `${formatSize(bytes)} of ${formatSize(maxBytes)}${share}`],
    ['models', `${models}${pinned > 0 ? `, ${pinned} pinned` : ''} · ${count(files, 'file')}`],
    ['from', fromText(found)],
    ['packed', packedText(found)],
    [
      'shared',
      shared.files > 0
        ? `${count(shared.files, 'file')} stored once for several commits, which saves ${formatSize(shared.bytes)}`
        : undefined,
    ],
    ['used', usedText(found)],
    [
      'hit rate',
      lastRun ? `${rate(lastRun)} in the last run · ${rate(lastRuns)} in the last ${lastRuns.runs}` : 'no run yet',
    ],
    ['disk', disk ? `${formatSize(disk.freeBytes)} free` : undefined],
    ['unfinished', unfinishedText(incoming)],
    ['code', code.files > 0 ? `${formatSize(code.bytes)} of compiled modules for workers` : undefined],
    ['maintained', maintenanceText(found)],
    ['in use', leases.runs > 0 ? `${count(leases.models, 'model')} by ${count(leases.runs, 'live run')}` : undefined],
  ]
  return lines.flatMap(([name, text]): [string, string][] => (text === undefined ? [] : [[name, text]]))
}

interface LockStatus {
  path: string
  /** Null if it can't be used. */
  models: number | null
  frozen: boolean
  error: string | null
}

/** Undefined if there is no lock file. */
function lockStatus({ lockfile: path, frozen }: Options): LockStatus | undefined {
  if (path === undefined) return undefined
  try {
    const file = readLockFile(path)
    return file && { path, models: file.models.length, frozen, error: null }
  } catch (error) {
    return { path, models: null, frozen, error: messageOf(error) }
  }
}

function lockLine(lock: LockStatus | undefined): [string, string][] {
  if (!lock) return []
  const { path, models, frozen } = lock
  const state = models === null ? 'broken: `doctor` says why' : count(models, 'model')
  return [['lock file', `${unbroken(path)} · ${state}${frozen ? ' · frozen' : ''}`]]
}

/** Undefined when no model is packed. */
function packedText({ packed }: CacheStatus): string | undefined {
  if (packed.models === 0) return undefined
  return `${count(packed.models, 'model')}: ${formatSize(packed.contentBytes)} take ${formatSize(packed.bytes)}`
}

/** Undefined when all models came from one endpoint. */
function fromText({ endpoints }: CacheStatus): string | undefined {
  if (endpoints.length < 2) return undefined
  return endpoints.map(({ endpoint, models }) => `${endpoint ?? 'unknown'}: ${models}`).join(' · ')
}

function usedText({ oldest, newest }: CacheStatus): string | undefined {
  if (!oldest || !newest) return undefined
  const ago = ({ model, lastAccessDate }: typeof oldest) =>
    `${model} ${formatAge(originals.now() - Date.parse(lastAccessDate))} ago`
  return oldest.commit === newest.commit && oldest.model === newest.model
    ? ago(newest)
    : `last ${ago(newest)} · longest unused ${ago(oldest)}`
}

/** Undefined if there is nothing to do and nothing was done. */
function maintenanceText({ maintenance }: CacheStatus): string | undefined {
  const { completedAt, toExpire, toEvict, toPack } = maintenance
  const todo = Object.entries({ expire: toExpire, evict: toEvict, pack: toPack }).filter(([, { models }]) => models > 0)
  if (completedAt === null && todo.length === 0) return undefined
  const parts = todo.map(([verb, { models, bytes }]) => `${count(models, 'model')} to ${verb} (${formatSize(bytes)})`)
  const ageMs = originals.now() - Date.parse(completedAt ?? '')
  return [Number.isNaN(ageMs) ? 'not yet' : `${formatAge(Math.max(0, ageMs))} ago`, ...parts].join(' · ')
}

function unfinishedText({ left, underWay }: CacheStatus['incoming']): string | undefined {
  const parts = [
    ...(left.files > 0 ? [`${amount(left)} of downloads that ended early`] : []),
    ...(underWay.files > 0 ? [`${amount(underWay)} being downloaded`] : []),
  ]
  return parts.length > 0 ? parts.join(' · ') : undefined
}

function amount({ files, bytes }: Amount): string {
  return `${count(files, 'file')}, ${formatSize(bytes)}`
}

function rate({ hitRate, hits, requests }: RunCounts): string {
  if (hitRate === null) return 'no request'
  return `${percent(hitRate)} (${hits} of ${requests})`
}
