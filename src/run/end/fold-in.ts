import type { ModelCache } from '../../cache/model-cache.ts'
import { modelLabel } from '../../model/model.ts'
import { originals } from '../../platform/originals.ts'
import { addEvicted, type FinishedRun } from './finished-run.ts'
import { type AfterRun, maintainAfterRun } from './maintain-after-run.ts'

/** Records the uses of a run in the metadata, then maintains the caches. Returns the caches in which something is left to do. */
export async function foldIn(
  caches: ModelCache[],
  run: FinishedRun,
  options: Omit<AfterRun, 'written'>,
): Promise<ModelCache[]> {
  const started = originals.monotonic()
  const left: ModelCache[] = []
  for (const cache of caches) {
    const requests = run.reports.flatMap(({ project, requests }) => (project.cache === cache ? requests : []))
    const removed = await maintainAfterRun(cache, { ...options, written: cache.recordUses(requests) })
    if (!removed) continue
    if (removed.isLeft) left.push(cache)
    addEvicted(run, { models: removed.evicted.map(modelLabel), bytes: removed.freedBytes })
    run.removals.expired.push(...removed.expired.map(modelLabel))
  }
  run.maintenanceMs = originals.monotonic() - started
  return left
}
