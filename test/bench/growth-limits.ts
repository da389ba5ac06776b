import { planRemovals } from '../../src/cache/upkeep/limits.ts'
import type { Entry, EntryFile } from '../../src/model/entry.ts'
import { type HubPath, parseHubPath } from '../../src/model/hub-path.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { entryWith } from '../support/entry.ts'
import { interleave, sample } from './rounds.ts'
import type { BenchContext, Findings } from './row.ts'

const DAY_MS = 86_400_000
const FILES = ['config.json', 'tokenizer.json', 'onnx/model.onnx'].map((path) => parseHubPath(path, 'a bench'))
const FILE_BYTES = 1000
const MOST_ENTRIES = 100_000

/** The time to decide which models to remove: by age, where half of the models expired, and by size, where most are evicted. */
export async function growthOfLimits({ isQuick }: BenchContext): Promise<Required<Pick<Findings, 'rows' | 'growth'>>> {
  const counts = [1_000, 4_000, 8_000, MOST_ENTRIES]
  const ways = counts.flatMap((count) => {
    const entries = Array.from({ length: count }, (_, index) => entryOf(index))
    return Object.entries(LIMITS).map(([name, limits]): [string, () => Promise<number>] => [
      `${name} ${count}`,
      async () => timeOf(entries, limits),
    ])
  })
  const times = await interleave(Object.fromEntries(ways), isQuick ? 1 : 5)
  const of = (name: string, count: number) => sample(times[`${name} ${count}`] ?? [])
  const names = Object.keys(LIMITS)
  return {
    rows: names.map((name) => ({
      ...{ what: `planning limits ${name}, ${MOST_ENTRIES} entries`, unit: 'ms' },
      ...{ value: of(name, MOST_ENTRIES), atMost: 1000 },
    })),
    growth: names.map((name) => ({
      ...{ axis: 'entries', what: `planning limits ${name}`, unit: 'ms' },
      points: counts.map((at) => ({ at, value: of(name, at) })),
    })),
  }
}

const LIMITS = {
  'by age': { maxSize: Number.POSITIVE_INFINITY, maxAge: DAY_MS },
  'by size': { maxSize: 10 * FILE_BYTES, maxAge: Number.POSITIVE_INFINITY },
}

/** CPU time in milliseconds: planning does no I/O. */
function timeOf(entries: Entry[], limits: { maxSize: number; maxAge: number }): number {
  const before = process.cpuUsage()
  planRemovals(entries, limits, { now: Date.now(), leased: new Set() })
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

/** Every second model was last used two days ago; no two share a file. */
function entryOf(index: number): Entry {
  const files = FILES.map((path, file): [HubPath, EntryFile] => {
    const digest = `sha1:${(index * FILES.length + file).toString(16).padStart(40, '0')}` as const
    return [path, { size: FILE_BYTES, digest, downloadMs: null, mtimeMs: 0, ino: '1' }]
  })
  const lastAccessDate = new Date(Date.now() - index - (index % 2) * 2 * DAY_MS).toISOString()
  return entryWith({ repo: parseRepoId(`org/model-${index}`), lastAccessDate, files: new Map(files) })
}
