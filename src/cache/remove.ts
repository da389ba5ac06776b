import { type Entry, entryKey } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import type { CacheContext } from './context.ts'
import { deleteFiles, type Taken } from './delete-files.ts'
import { isOurs } from './store/cache-folder.ts'
import type { Layout } from './store/layout.ts'
import { leasedEntries } from './store/leases.ts'
import { type Hold, withFreeLocks, withLock } from './store/lock.ts'

/** What was removed, and the bytes that became free. */
export interface Removed {
  entries: Entry[]
  freedBytes: number
}

/** Removes entries. Throws `IN_USE` when another live run uses one of them: then nothing is removed. */
export async function removeEntries(context: CacheContext, entries: Entry[], signal?: AbortSignal): Promise<Removed> {
  const leased = await leasedEntries(context.layout, context.options.run?.id)
  const inUse = entries.find((entry) => leased.has(entryKey(entry)))
  if (!inUse) return deleteBehind(holdEach, context, entries, context.options.run?.id, signal)
  throw new ModelCacheError({
    code: 'IN_USE',
    asked: `Model ${inUse.repo}`,
    reason: 'Another test run that is still going uses it.',
    nextStep: 'Wait until that run has ended, then remove it.',
  })
}

/**
 * Deletes entries, other than those that a run has leased by now and those of repos that somebody works on: first the
 * record, so that a kill in the middle leaves files that nobody is promised, then what no other entry of the repo needs.
 * Only ever deletes by names that the cache itself gives.
 */
export async function deleteEntries(
  context: CacheContext,
  entries: Entry[],
  exceptRun?: string,
  signal?: AbortSignal,
): Promise<Removed> {
  return deleteBehind(holdFree, context, entries, exceptRun, signal)
}

/** Entries of which this process holds the repo's lock. */
interface Held {
  entries: Entry[]
  hold: Hold
}

/** Runs `work` for entries, in one go or several, under the locks of their repos. */
type HoldRepos = (
  context: CacheContext,
  entries: Entry[],
  work: (held: Held[]) => Promise<void>,
  signal?: AbortSignal,
) => Promise<void>

async function deleteBehind(
  holdRepos: HoldRepos,
  context: CacheContext,
  entries: Entry[],
  exceptRun?: string,
  signal?: AbortSignal,
): Promise<Removed> {
  const removed: Removed = { entries: [], freedBytes: 0 }
  if (entries.length === 0 || !isOurs(context.layout)) return removed
  if (context.refusal) throw context.refusal
  // What is on its way in counts on blobs that it found, and is recorded when it is complete.
  const work = async (held: Held[]) => {
    signal?.throwIfAborted()
    const taken = await takeRecords(context, held, exceptRun)
    const removedKeys = new Set(taken.map(({ entry }) => entryKey(entry)))
    removed.freedBytes += await deleteFiles(context.layout, taken)
    const asked = held.flatMap(({ entries }) => entries)
    removed.entries.push(...asked.filter((entry) => removedKeys.has(entryKey(entry))))
  }
  await holdRepos(context, entries, work, signal)
  return removed
}

/** Takes the records of those away that no run has leased, and gives each with what else is recorded of its repo. */
async function takeRecords(context: CacheContext, held: Held[], exceptRun?: string): Promise<Taken[]> {
  const metadata = await context.metadata()
  const isFree = async (entries: Entry[]) => {
    const leased = await leasedEntries(context.layout, exceptRun)
    return entries.filter((entry) => !leased.has(entryKey(entry)))
  }
  const free = await isFree(held.flatMap(({ entries }) => entries))
  if (free.length === 0) return []
  const taken = new Map<string, { entry: Entry; hold: Hold }>()
  let left: Entry[] = []
  await metadata.update((all) => {
    taken.clear()
    // Of a repo whose lock another process took meanwhile, that process decides.
    for (const { entries, hold } of held.filter(({ hold }) => hold.isOurs()))
      for (const entry of entries) {
        const key = entryKey(entry)
        // As recorded by now: more of it may have come since it was chosen.
        if (free.includes(entry)) taken.set(key, { entry: all.get(key) ?? entry, hold })
      }
    for (const key of taken.keys()) all.delete(key)
    left = [...all.values()]
  })
  // Who claims first and looks after that either finds no record, or has its claim seen here.
  const stillFree = new Set((await isFree(free)).map(entryKey))
  const claimed = [...taken].filter(([key]) => !stillFree.has(key))
  if (claimed.length > 0)
    await metadata.update((all) => {
      for (const [key, { entry }] of claimed) if (!all.has(key)) all.set(key, entry)
      left = [...all.values()]
    })
  const siblings = new Map<string, Entry[]>()
  for (const entry of left) siblings.set(entry.repo, [...(siblings.get(entry.repo) ?? []), entry])
  return [...taken.values()]
    .filter(({ entry }) => stillFree.has(entryKey(entry)))
    .map(({ entry, hold }) => ({ entry, hold, siblings: siblings.get(entry.repo) ?? [] }))
}

/** First those whose locks are free, then one repo after the other, each when its lock is free. */
const holdEach: HoldRepos = async (context, entries, work, signal) => {
  const left = new Set(entries)
  await holdFree(context, entries, async (held) => {
    for (const entry of held.flatMap(({ entries }) => entries)) left.delete(entry)
    await work(held)
  })
  for (const [lock, own] of byLock(context.layout, [...left]))
    await withLock(lock, (hold) => work([{ entries: own, hold }]), signal)
}

// Each write of the metadata costs by the number of all entries: many go at once. A kill leaves no more than these
// without a record.
const AT_ONCE = 100

/** Those whose locks are free, many at once; it never waits for any. */
const holdFree: HoldRepos = async ({ layout }, entries, work) => {
  const locks = byLock(layout, entries)
  const paths = [...locks.keys()]
  for (let done = 0; done < paths.length; done += AT_ONCE)
    await withFreeLocks(paths.slice(done, done + AT_ONCE), async (holds) => {
      if (holds.length > 0) await work(holds.map((hold) => ({ entries: locks.get(hold.path) ?? [], hold })))
    })
}

function byLock(layout: Layout, entries: Entry[]): Map<string, Entry[]> {
  const locks = new Map<string, Entry[]>()
  for (const entry of entries) {
    const lock = layout.lock(entry.repo)
    locks.set(lock, [...(locks.get(lock) ?? []), entry])
  }
  return locks
}
