import type { ModelCache } from '../../cache/model-cache.ts'
import { modelLabel } from '../../model/model.ts'
import { originals } from '../../platform/originals.ts'
import { addEvicted, type FinishedRun } from './finished-run.ts'

// The run must not wait for maintenance longer than this. The next run does the rest.
const MAINTAIN_WITHIN_MS = 5_000

/** Records the uses of a run in the metadata, then evicts and expires models. `isOver`: no further run of this process follows. */
export async function foldIn(caches: ModelCache[], run: FinishedRun, isOver: boolean): Promise<void> {
  const started = originals.monotonic()
  for (const cache of caches) {
    const requests = run.reports.flatMap(({ project, requests }) => (project.cache === cache ? requests : []))
    const removed = await inTime(cache.maintain({ isOver, written: cache.recordUses(requests) }))
    if (!removed) continue
    addEvicted(run, { models: removed.evicted.map(modelLabel), bytes: removed.freedBytes })
    run.removals.expired.push(...removed.expired.map(modelLabel))
  }
  run.maintenanceMs = originals.monotonic() - started
}

/** The result of the work. Undefined if the work takes too long: it then continues, but nobody waits for it. */
export function inTime<T>(work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = originals.setTimeout(() => resolve(undefined), MAINTAIN_WITHIN_MS)
    work.then(resolve, reject).finally(() => originals.clearTimeout(timer))
  })
}
