import { relative, resolve } from 'node:path'
import process from 'node:process'
import type { ModelCache } from '../cache/model-cache.ts'
import type { Options } from '../config/options.ts'
import { modelLabel } from '../model/model.ts'
import { originals } from '../platform/originals.ts'
import { parseRun } from '../report/schema.ts'
import { type CachedEntry, makeStatistics, type Statistics } from '../report/statistics.ts'
import type { Run } from '../report/types.ts'

/** The last runs of the projects in and below this folder, or of all projects. The newest is first. */
export async function readRuns(cache: ModelCache, count: number, isAll = false): Promise<Run[]> {
  const runs: Run[] = []
  // A damaged record does not count towards the number of runs.
  await cache.lastRunsOf((record) => {
    const parsed = isAll || isWithin(record.project, process.cwd()) ? parseRun(record) : undefined
    if (parsed) runs.push(parsed)
    return parsed !== undefined
  }, count)
  return runs
}

export async function gatherStatistics(cache: ModelCache, { maxAge }: Options, runs: Run[]): Promise<Statistics> {
  const [{ directory, size, maxSize }, entries, disk] = await Promise.all([
    cache.statistics(),
    cache.list(),
    cache.diskUse(),
  ])
  const cached = entries.map((entry): CachedEntry => {
    const { commit, pinned, cachedDate, lastAccessDate, files } = entry
    const bytes = [...files.values()].reduce((sum, file) => sum + file.size, 0)
    const dates = { cachedAt: cachedDate, lastUsedAt: lastAccessDate }
    return { model: modelLabel(entry), commit, bytes, files: files.size, pinned, ...dates }
  })
  const downloadedSize = cached.reduce((sum, { bytes }) => sum + bytes, 0)
  const state = { directory, size, maxSize, maxAgeMs: maxAge, downloadedSize, ...disk, entries: cached }
  return makeStatistics(runs, state, originals.now())
}

export function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, resolve(path))
  return way === '' || !/^\.\.([/\\]|$)|^[a-z]:|^[/\\]/i.test(way)
}
