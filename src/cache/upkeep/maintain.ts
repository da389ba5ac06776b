import { existsSync } from 'node:fs'
import { formatAge, formatSize } from '../../config/units.ts'
import type { Entry } from '../../model/entry.ts'
import { modelLabel } from '../../model/model.ts'
import { originals } from '../../platform/originals.ts'
import type { CacheContext } from '../context/context.ts'
import { migrateEntries } from '../lookup/migrate-entry.ts'
import { isHubLinked, isOurs } from '../store/cache-folder.ts'
import { trimCompiledCode } from '../store/compile-cache.ts'
import { sweepIncoming } from '../store/downloads/leftovers.ts'
import { leasedEntries } from '../store/locks/leases.ts'
import { planRemovals, type Removals } from './limits.ts'
import { recordStrangers } from './record-strangers.ts'
import { removable } from './removable.ts'
import { deleteEntries, type Removed } from './remove.ts'
import { removeOrphans } from './remove-orphans.ts'

/** The entries that were removed, by reason: `expired` for their age, `evicted` for size. */
export type Maintained = Removed & Removals

export interface MaintainOptions {
  /** True when the run of the cache is over: its models are not protected any more. */
  isOver?: boolean
  /** A write of the metadata that has begun. The limits wait for it, and the other steps do not. */
  written?: Promise<unknown>
}

/**
 * Enforces `maxAge` and `maxSize`. Offline nothing expires, because it could not be downloaded again. Models of the cache's own
 * run are protected, too, unless `isOver` says that the run is over.
 */
export async function maintain(
  context: CacheContext,
  { isOver = false, written }: MaintainOptions = {},
): Promise<Maintained> {
  await Promise.all([written, written ? nextTurn().then(() => tidy(context, isOver)) : tidy(context, isOver)])
  if (!mayMaintain(context)) return { entries: [], freedBytes: 0, expired: [], evicted: [] }
  const ownRun = isOver ? context.options.run?.id : undefined
  // Before the limits: what is packed takes less space, and may stay.
  if (context.options.packAfter !== undefined) await (await import('./pack-unused.ts')).packUnused(context, ownRun)
  return enforceLimits(context, await planLimits(context, ownRun), ownRun)
}

function mayMaintain({ layout, refusal }: CacheContext): boolean {
  return isOurs(layout) && !refusal
}

/** Lets a write hand its bytes to the disk. Without it, the synchronous steps of `tidy` come first, and the disk has nothing to do. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => originals.setImmediate(resolve))
}

/** The steps that need no limits. They change no use that a run records. */
async function tidy(context: CacheContext, isOver: boolean): Promise<void> {
  const { layout } = context
  if (!mayMaintain(context)) return
  if (!isOver) await context.gatherClaims()
  await sweepIncoming(layout)
  if (!isHubLinked(layout)) await recordStrangers(context)
  await migrateEntries(context)
  const metadata = await context.metadata()
  await removeOrphans(context, [...(await metadata.all()).values()])
  await trimCompiledCode(layout)
  if (existsSync(layout.cold) || existsSync(layout.coldLock)) await (await import('./tend-packs.ts')).tendPacks(context)
}

/** Plans which entries the limits remove. Entries that runs use now stay. */
export async function planLimits(context: CacheContext, ownRun?: string): Promise<Removals> {
  const { maxSize, maxAge, offline } = context.options
  const metadata = await context.metadata()
  return planRemovals(
    removable(context.layout, [...(await metadata.all()).values()]),
    { maxSize, maxAge: offline ? Number.POSITIVE_INFINITY : maxAge },
    { now: originals.now(), leased: await leasedEntries(context.layout, ownRun) },
  )
}

/** Removes the planned entries. */
export async function enforceLimits(
  context: CacheContext,
  { expired, evicted }: Removals,
  ownRun?: string,
  signal?: AbortSignal,
): Promise<Maintained> {
  const removed = await deleteEntries(context, [...expired, ...evicted], ownRun, signal)
  const gone = new Set(removed.entries)
  const isGone = (entry: Entry) => gone.has(entry)
  const age = (entry: Entry) => formatAge(originals.now() - Date.parse(entry.lastAccessDate))
  for (const entry of expired.filter(isGone))
    context.debug(`🗑️ Removed expired model: ${modelLabel(entry)} (age: ${age(entry)})`)
  for (const entry of evicted.filter(isGone))
    context.debug(`🗑️ Removed model to stay within ${formatSize(context.options.maxSize)}: ${modelLabel(entry)}`)
  return { ...removed, expired: expired.filter(isGone), evicted: evicted.filter(isGone) }
}
