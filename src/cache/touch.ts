import { isoNow } from '../platform/originals.ts'
import type { CacheContext } from './context/context.ts'
import { isOurs, isWritable } from './store/cache-folder.ts'

/** Records that entries were used now: the number of uses by `entryKey`. Which files were used is not recorded. */
export async function touchEntries(context: CacheContext, uses: ReadonlyMap<string, number>): Promise<void> {
  if (uses.size === 0 || !isOurs(context.layout) || !isWritable(context.layout)) return
  const metadata = await context.metadata()
  const now = isoNow()
  await metadata.update(
    (entries) => {
      for (const [key, count] of uses) {
        const entry = entries.get(key)
        if (!entry) continue
        entry.lastAccessDate = now
        entry.hits += count
      }
    },
    { isLasting: false },
  )
}
