import { originals } from '../platform/originals.ts'
import { renderStatistics } from '../report/statistics-text.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { gatherStatistics, readRuns } from './statistics.ts'

export interface StatsOptions {
  runs: number
  json?: boolean
  all?: boolean
}

/** How the last runs went, what was used how often, and what the cache takes. */
export async function stats({ runs, json, all }: StatsOptions, globalOptions: GlobalOptions): Promise<number> {
  const { cache, options } = await openCache(globalOptions)
  const statistics = await gatherStatistics(cache, options, await readRuns(cache, runs, all))
  if (json) console.log(JSON.stringify(statistics, null, 2))
  else for (const line of renderStatistics(statistics, { now: originals.now() })) console.log(line)
  return 0
}
