import { type Entry, entryKey } from '../model/entry.ts'
import type { CacheContext } from './context/context.ts'
import { isOurs } from './store/cache-folder.ts'
import { recordStrangers } from './upkeep/record-strangers.ts'

/** Pins entries, so that they are neither evicted nor expired, or unpins them. Returns the entries that changed. */
export async function pinEntries(context: CacheContext, entries: Entry[], pinned: boolean): Promise<Entry[]> {
  const others = entries.filter((entry) => entry.pinned !== pinned)
  if (others.length === 0 || !isOurs(context.layout)) return []
  await recordStrangers(context)
  const metadata = await context.metadata()
  const changed: Entry[] = []
  await metadata.update((all) => {
    for (const entry of others) {
      const recorded = all.get(entryKey(entry))
      if (!recorded || recorded.pinned === pinned) continue
      recorded.pinned = pinned
      changed.push(recorded)
    }
  })
  return changed
}
