// How costs grow: with the entries of a cache, the workers of a run, and the size of a model.
import { growthOfEntries } from './growth-entries.ts'
import { growthOfSize } from './growth-size.ts'
import { growthOfWorkers } from './growth-workers.ts'
import type { BenchContext, Findings, Growth } from './row.ts'

export async function growth(context: BenchContext): Promise<Findings> {
  const found: Growth[] = []
  for (const measure of [growthOfEntries, growthOfWorkers, growthOfSize]) found.push(...(await measure(context)))
  return { rows: [], growth: found }
}
