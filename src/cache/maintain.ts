import { formatAge, formatSize } from '../config/units.ts'
import type { Entry } from '../model/entry.ts'
import { modelLabel } from '../model/model.ts'
import { originals } from '../platform/originals.ts'
import type { CacheContext } from './context.ts'
import { planRemovals, type Removals } from './limits.ts'
import { recordStrangers } from './record-strangers.ts'
import { deleteEntries, type Removed } from './remove.ts'
import { removeOrphans } from './remove-orphans.ts'
import { leasedEntries } from './store/leases.ts'
import { sweepIncoming } from './store/leftovers.ts'

/** What was removed, and which of it for its age and which for size. */
export type Maintained = Removed & Removals

/**
 * Enforces `maxAge` and `maxSize`. Offline nothing expires: it could not be brought in again. What the cache's own run
 * used is protected too, unless that run is over.
 */
export async function maintain(context: CacheContext, { isOver = false } = {}): Promise<Maintained> {
  const ownRun = isOver ? context.options.run?.id : undefined
  const { maxSize, maxAge, offline } = context.options
  await sweepIncoming(context.layout)
  await recordStrangers(context)
  const metadata = await context.metadata()
  const entries = [...(await metadata.all()).values()]
  const now = originals.now()
  const { expired, evicted } = planRemovals(
    entries,
    { maxSize, maxAge: offline ? Number.POSITIVE_INFINITY : maxAge },
    { now, leased: await leasedEntries(context.layout, ownRun) },
  )
  const removed = await deleteEntries(context, [...expired, ...evicted], ownRun)
  await removeOrphans(context, [...(await metadata.all()).values()])
  const isGone = (entry: Entry) => removed.entries.includes(entry)
  for (const entry of expired.filter(isGone))
    context.debug(
      `🗑️ Removed expired model: ${modelLabel(entry)} (age: ${formatAge(now - Date.parse(entry.lastAccessDate))})`,
    )
  for (const entry of evicted.filter(isGone))
    context.debug(`🗑️ Removed model to stay within ${formatSize(maxSize)}: ${modelLabel(entry)}`)
  return { ...removed, expired: expired.filter(isGone), evicted: evicted.filter(isGone) }
}
