import { existsSync } from 'node:fs'
import { type Entry, entryKey } from '../../model/entry.ts'
import { ModelCacheError } from '../../model/errors.ts'
import { groupBy } from '../../platform/group-by.ts'
import type { CacheContext } from '../context/context.ts'
import { isOurs } from '../store/cache-folder.ts'
import { leasedEntries } from '../store/locks/leases.ts'
import type { Hold } from '../store/locks/lock.ts'
import { deleteFiles, type Taken } from './delete-files.ts'
import { type Held, type HoldRepos, holdEach, holdFree } from './hold-repos.ts'

/** The entries that were removed, and the bytes that became free. */
export interface Removed {
  entries: Entry[]
  freedBytes: number
}

/** Removes entries. Throws `IN_USE` when another live run uses one of them: then nothing is removed. */
export async function removeEntries(context: CacheContext, entries: Entry[], signal?: AbortSignal): Promise<Removed> {
  const leased = await leasedEntries(context.layout, context.options.run?.id)
  const inUse = entries.find((entry) => leased.has(entryKey(entry)))
  if (!inUse) return deleteUnderLocks(holdEach, context, entries, context.options.run?.id, signal)
  throw new ModelCacheError({
    code: 'IN_USE',
    asked: `Model ${inUse.repo}`,
    reason: 'Another test run uses it now.',
    nextStep: 'Wait until that run has ended, then try again.',
  })
}

/**
 * Deletes entries. Entries that a run has leased meanwhile stay, and so do entries of repos whose locks are held. The record
 * is deleted first, so that a kill leaves files without a record and never a record without files. Then the files are deleted
 * that no other entry of the repo needs. Files in the repo's folder that are not recognized as the cache's own stay.
 */
export async function deleteEntries(
  context: CacheContext,
  entries: Entry[],
  exceptRun?: string,
  signal?: AbortSignal,
): Promise<Removed> {
  return deleteUnderLocks(holdFree, context, entries, exceptRun, signal)
}

async function deleteUnderLocks(
  holdRepos: HoldRepos,
  context: CacheContext,
  entries: Entry[],
  exceptRun?: string,
  signal?: AbortSignal,
): Promise<Removed> {
  const removed: Removed = { entries: [], freedBytes: 0 }
  let hadPacked = false
  if (entries.length === 0 || !isOurs(context.layout)) return removed
  if (context.refusal) throw context.refusal
  // The locks are needed because a download relies on the blobs that it found, and has no record until it is complete.
  const work = async (held: Held[]) => {
    signal?.throwIfAborted()
    const unlist = existsSync(context.layout.packedModels) ? await beginUnlisting(context, held) : undefined
    const taken = await takeRecords(context, held, exceptRun)
    const removedKeys = new Set(taken.map(({ entry }) => entryKey(entry)))
    if (await unlist?.(removedKeys)) hadPacked = true
    removed.freedBytes += await deleteFiles(context.layout, taken)
    const asked = held.flatMap(({ entries }) => entries)
    removed.entries.push(...asked.filter((entry) => removedKeys.has(entryKey(entry))))
  }
  await holdRepos(context, entries, work, signal)
  if (hadPacked) {
    const { freePacks } = await import('./packing/tend-packs.ts')
    removed.freedBytes += (await freePacks(context)).bytes
  }
  return removed
}

/**
 * Marks the packed models among the entries. Without the mark, a process that finds their list after a kill would put their records back.
 * Returns a function that takes the removed ones from the list, and reports whether there was one.
 */
async function beginUnlisting({ layout }: CacheContext, held: Held[]) {
  const { isListedAsPacked, markRemoved, removePackedModel } = await import('../store/packs/packed-models.ts')
  const marked = held.flatMap(({ entries, hold }) =>
    entries.filter((entry) => isListedAsPacked(layout, entry)).map((entry) => ({ entry, hold })),
  )
  const mark = async ({ entry, hold }: (typeof marked)[number], isRemoved: boolean) =>
    markRemoved(layout, entry, isRemoved, () => hold.isOurs())
  for (const each of marked) await mark(each, true)
  return async (removedKeys: ReadonlySet<string>) => {
    const isGone = ({ entry }: { entry: Entry }) => removedKeys.has(entryKey(entry))
    for (const each of marked) if (!isGone(each)) await mark(each, false)
    for (const { entry } of marked.filter(isGone)) removePackedModel(layout, entry)
    return marked.some(isGone)
  }
}

/** Removes the records of the entries that no run has leased. Returns each entry with the other recorded entries of its repo. */
async function takeRecords(context: CacheContext, held: Held[], exceptRun?: string): Promise<Taken[]> {
  const metadata = await context.metadata()
  const isFree = async (entries: Entry[]) => {
    const leased = await leasedEntries(context.layout, exceptRun)
    return entries.filter((entry) => !leased.has(entryKey(entry)))
  }
  const free = new Set(await isFree(held.flatMap(({ entries }) => entries)))
  if (free.size === 0) return []
  const taken = new Map<string, { entry: Entry; hold: Hold }>()
  let left: Entry[] = []
  await metadata.update((all) => {
    taken.clear()
    // When another process took the lock of a repo meanwhile, its entries stay.
    for (const { entries, hold } of held.filter(({ hold }) => hold.isOurs()))
      for (const entry of entries) {
        const key = entryKey(entry)
        // The current record counts: more files may have been recorded since the entry was chosen.
        if (free.has(entry)) taken.set(key, { entry: all.get(key) ?? entry, hold })
      }
    for (const key of taken.keys()) all.delete(key)
    left = [...all.values()]
  })
  // Other processes claim an entry and then look for its record. So each finds no record, or its claim is seen here.
  const stillFree = new Set((await isFree([...free])).map(entryKey))
  const claimed = [...taken].filter(([key]) => !stillFree.has(key))
  if (claimed.length > 0)
    await metadata.update((all) => {
      for (const [key, { entry }] of claimed) if (!all.has(key)) all.set(key, entry)
      left = [...all.values()]
    })
  const siblings = groupBy(left, ({ repo }) => repo)
  return [...taken.values()]
    .filter(({ entry }) => stillFree.has(entryKey(entry)))
    .map(({ entry, hold }) => ({ entry, hold, siblings: siblings.get(entry.repo) ?? [] }))
}
