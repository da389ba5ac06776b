import { originals } from '../platform/originals.ts'
import { renderStatistics } from '../report/statistics-text.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { printJson } from './show/json.ts'
import { printLines } from './show/print.ts'
import { columnsOf } from './show/style.ts'
import { gatherStatistics, readRuns } from './statistics.ts'

export interface StatsOptions extends GlobalOptions {
  runs: number
  all?: boolean
}

/** Prints how the last runs went, how often each model was used, and how full the cache is. */
export async function stats({ runs, all, ...global }: StatsOptions): Promise<number> {
  const { cache, options } = await openCache(global)
  const statistics = await gatherStatistics(cache, options, await readRuns(cache, runs, all))
  if (global.json) printJson(statistics)
  else for (const line of renderStatistics(statistics, { now: originals.now(), columns: columnsOf() })) printLines(line)
  return 0
}
