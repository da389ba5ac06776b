import { existsSync } from 'node:fs'
import { entryKey } from '../model/entry.ts'
import type { CacheContext } from './context.ts'
import { rebuildEntries } from './store/rebuild.ts'

/**
 * Records what another tool put into `hub/`: it counts to the size and goes as what is ours goes, and is verified before
 * its first hit.
 */
export async function recordStrangers(context: CacheContext): Promise<void> {
  const metadata = await context.metadata()
  const recorded = await metadata.all()
  const strangers = await rebuildEntries(context.layout, context.options.hub.endpoint, (key) => recorded.has(key))
  if (strangers.length === 0) return
  await metadata.update((entries) => {
    // What was removed while it was looked at stays away.
    const there = strangers.filter(({ repo, commit }) => existsSync(context.layout.snapshot(repo, commit)))
    for (const entry of there) if (!entries.has(entryKey(entry))) entries.set(entryKey(entry), entry)
  })
}
