import type { Entry } from '../../model/entry.ts'
import { groupBy } from '../../platform/group-by.ts'
import type { CacheContext } from '../context/context.ts'
import { withFreeRepoLocks, withRepoLock } from '../store/aside.ts'
import type { Layout } from '../store/layout.ts'
import type { Hold } from '../store/lock.ts'

/** Entries of which this process holds the repo's lock. */
export interface Held {
  entries: Entry[]
  hold: Hold
}

/** Runs `work` for entries, in one go or several, under the locks of their repos. */
export type HoldRepos = (
  context: CacheContext,
  entries: Entry[],
  work: (held: Held[]) => Promise<void>,
  signal?: AbortSignal,
) => Promise<void>

/** First those whose locks are free, then one repo after the other, each when its lock is free. */
export const holdEach: HoldRepos = async (context, entries, work, signal) => {
  const left = new Set(entries)
  await holdFree(context, entries, async (held) => {
    for (const entry of held.flatMap(({ entries }) => entries)) left.delete(entry)
    await work(held)
  })
  for (const own of byLock(context.layout, [...left]).values())
    for (const { repo } of own.slice(0, 1))
      await withRepoLock(context.layout, repo, (hold) => work([{ entries: own, hold }]), signal)
}

// `work` writes the metadata once, which costs by the number of all entries. A kill leaves no more than these without a record.
const AT_ONCE = 1000

/** Those whose locks are free, many at once; it never waits for any. */
export const holdFree: HoldRepos = async ({ layout }, entries, work) => {
  const locks = byLock(layout, entries)
  const paths = [...locks.keys()]
  for (let done = 0; done < paths.length; done += AT_ONCE)
    await withFreeRepoLocks(layout, paths.slice(done, done + AT_ONCE), async (holds) => {
      if (holds.length > 0) await work(holds.map((hold) => ({ entries: locks.get(hold.path) ?? [], hold })))
    })
}

function byLock(layout: Layout, entries: Entry[]): Map<string, Entry[]> {
  return groupBy(entries, ({ repo }) => layout.lock(repo))
}
