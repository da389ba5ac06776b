import { existsSync } from 'node:fs'
import { entryKey } from '../../model/entry.ts'
import type { CacheContext } from '../context/context.ts'
import { findUnrecorded } from '../lookup/list-entries.ts'
import { isOurs, isWritable } from '../store/cache-folder.ts'

/**
 * Records the models that another tool wrote into `hub/`. They count towards the size of the cache, and the limits apply to
 * them. Each file is verified before its first hit.
 */
export async function recordStrangers(context: CacheContext): Promise<void> {
  if (!isOurs(context.layout) || !isWritable(context.layout)) return
  const metadata = await context.metadata()
  const recorded = await metadata.all()
  const strangers = await findUnrecorded(context, recorded)
  if (strangers.length === 0) return
  await metadata.update((entries) => {
    // A snapshot that was removed meanwhile gets no record.
    const there = strangers.filter(({ repo, snapshot }) => existsSync(context.layout.snapshot(repo, snapshot)))
    for (const entry of there) if (!entries.has(entryKey(entry))) entries.set(entryKey(entry), entry)
  })
}
