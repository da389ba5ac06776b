import { existsSync } from 'node:fs'
import { entryKey } from '../../model/entry.ts'
import type { CacheContext } from '../context/context.ts'
import { findUnrecorded } from '../lookup/list-entries.ts'
import { isOurs, isWritable } from '../store/cache-folder.ts'

/**
 * Records what another tool put into `hub/`: it counts to the size and goes as what is ours goes, and is verified before
 * its first hit.
 */
export async function recordStrangers(context: CacheContext): Promise<void> {
  if (!isOurs(context.layout) || !isWritable(context.layout)) return
  const metadata = await context.metadata()
  const recorded = await metadata.all()
  const strangers = await findUnrecorded(context, recorded)
  if (strangers.length === 0) return
  await metadata.update((entries) => {
    // What was removed while it was looked at stays away.
    const there = strangers.filter(({ repo, snapshot }) => existsSync(context.layout.snapshot(repo, snapshot)))
    for (const entry of there) if (!entries.has(entryKey(entry))) entries.set(entryKey(entry), entry)
  })
}
