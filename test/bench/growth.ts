// The growth of costs with the entries of a cache, the workers of a run, and the size of a model.
import { growthOfEntries } from './growth-entries.ts'
import { growthOfLimits } from './growth-limits.ts'
import { growthOfSize } from './growth-size.ts'
import { growthOfWorkers } from './growth-workers.ts'
import type { BenchContext, Findings, Growth } from './row.ts'

export async function growth(context: BenchContext): Promise<Findings> {
  const limits = await growthOfLimits(context)
  const found: Growth[] = [...limits.growth]
  for (const measure of [growthOfEntries, growthOfWorkers, growthOfSize]) found.push(...(await measure(context)))
  return { rows: limits.rows, growth: found }
}
