import type { Entry } from '../../model/entry.ts'
import { groupBy } from '../../platform/group-by.ts'
import type { CacheContext } from '../context/context.ts'
import type { Layout } from '../store/layout.ts'
import type { Hold } from '../store/locks/lock.ts'
import { withFreeRepoLocks, withRepoLock } from '../store/removal/aside.ts'

/** Entries of one repo, whose lock this process holds. */
export interface Held {
  entries: Entry[]
  hold: Hold
}

/** Calls `work` for the entries, once or several times, while this process holds the locks of their repos. */
export type HoldRepos = (
  context: CacheContext,
  entries: Entry[],
  work: (held: Held[]) => Promise<void>,
  signal?: AbortSignal,
) => Promise<void>

/** Begins with the repos whose locks are free. Then waits for the lock of each other repo, one after the other. */
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

// Each call of `work` writes the metadata once, and a write costs more with more entries. So one call gets many repos. A kill leaves
// files without a record in at most these repos.
const AT_ONCE = 1000

/** Takes only the repos whose locks are free, many in one call of `work`. Never waits for a lock. */
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
