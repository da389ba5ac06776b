import type { Entry } from '../../../model/entry.ts'
import { originals } from '../../../platform/originals.ts'
import type { CacheContext } from '../../context/context.ts'
import { isHubLinked } from '../../store/cache-folder.ts'
import { leasedEntries } from '../../store/locks/leases.ts'
import { planRemovals, type Removals } from '../limits.ts'
import { chooseUnused } from '../packing/choose-to-pack.ts'
import { removable } from '../removable.ts'

/** What maintenance has to do. */
export interface Due extends Removals {
  /** Unused for longer than `packAfter`. */
  toPack: Entry[]
}

/** Looks up what maintenance has to do now. `exceptRun`: a run whose claims do not count. */
export async function lookDue(context: CacheContext, exceptRun?: string): Promise<Due> {
  const metadata = await context.metadata()
  const leased = await leasedEntries(context.layout, exceptRun)
  return dueAmong(context, [...(await metadata.all()).values()], leased)
}

/** What maintenance has to do for these entries. Entries that runs use now stay. Offline nothing expires. */
export function dueAmong({ layout, options }: CacheContext, entries: Entry[], leased: ReadonlySet<string>): Due {
  const { maxSize, maxAge, offline, packAfter: unusedForMs } = options
  const now = originals.now()
  const limits = { maxSize, maxAge: offline ? Number.POSITIVE_INFINITY : maxAge }
  const removals = planRemovals(removable(layout, entries), limits, { now, leased })
  if (unusedForMs === undefined || isHubLinked(layout)) return { ...removals, toPack: [] }
  const expired = new Set(removals.expired)
  const left = entries.filter((entry) => !expired.has(entry))
  return { ...removals, toPack: chooseUnused(left, { now, unusedForMs }, leased) }
}
