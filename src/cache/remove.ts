import { lstat, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { blobNameOf } from '../model/digest.ts'
import { type Entry, entryKey } from '../model/entry.ts'
import { ModelCacheError, systemCode } from '../model/errors.ts'
import type { CacheContext } from './context.ts'
import { isOurs } from './store/cache-folder.ts'
import { leasedEntries } from './store/leases.ts'
import { withFreeLock, withLock } from './store/lock.ts'

/** What was removed, and the bytes that became free. */
export interface Removed {
  entries: Entry[]
  freedBytes: number
}

/** Removes entries. Throws `IN_USE` when another live run uses one of them: then nothing is removed. */
export async function removeEntries(context: CacheContext, entries: Entry[]): Promise<Removed> {
  const leased = await leasedEntries(context.layout, context.options.run?.id)
  const inUse = entries.find((entry) => leased.has(entryKey(entry)))
  if (!inUse) return deleteBehind(withLock, context, entries, context.options.run?.id)
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
export async function deleteEntries(context: CacheContext, entries: Entry[], exceptRun?: string): Promise<Removed> {
  return deleteBehind(withFreeLock, context, entries, exceptRun)
}

async function deleteBehind(
  lock: typeof withFreeLock,
  context: CacheContext,
  entries: Entry[],
  exceptRun?: string,
): Promise<Removed> {
  const removed: Removed = { entries: [], freedBytes: 0 }
  if (entries.length === 0 || !(await isOurs(context.layout))) return removed
  const metadata = await context.metadata()
  for (const entry of entries) {
    // What is on its way in counts on blobs that it found, and is recorded when it is complete.
    await lock(context.layout.lock(entry.repo), async () => {
      const leased = await leasedEntries(context.layout, exceptRun)
      if (leased.has(entryKey(entry))) return
      let siblings: Entry[] = []
      let recorded: Entry | undefined
      await metadata.update((all) => {
        recorded = all.get(entryKey(entry))
        all.delete(entryKey(entry))
        siblings = [...all.values()].filter(({ repo }) => repo === entry.repo)
      })
      // Who claims first and looks after that either finds no record, or has its claim seen here.
      if ((await leasedEntries(context.layout, exceptRun)).has(entryKey(entry))) {
        await metadata.update((all) => recorded && all.set(entryKey(entry), recorded))
        return
      }
      // As recorded by now: more of it may have come since it was chosen.
      removed.freedBytes += await deleteFiles(context, recorded ?? entry, siblings)
      removed.entries.push(entry)
    })
  }
  return removed
}

async function deleteFiles(context: CacheContext, entry: Entry, siblings: Entry[]): Promise<number> {
  const { layout } = context
  const { repo, commit } = entry
  const shared = new Set(siblings.flatMap(({ files }) => [...files.values()].map(({ digest }) => digest)))
  const own = new Map([...entry.files.values()].map(({ digest, size }) => [digest, size]))
  const folder = layout.repo(repo)
  // What lies behind a link is another's, such as the user's own cache: of that nothing goes but the link.
  if (await isLink(folder)) {
    if (siblings.length === 0) await rm(folder, { force: true })
    return 0
  }
  const remove = async (kind: string, name: string) => {
    if (!(await isLink(join(folder, kind)))) await rm(join(folder, kind, name), { recursive: true, force: true })
  }
  let freedBytes = 0
  // Before its snapshot: other tools refuse a repo with a ref to a commit that has none, and a kill may come in between.
  if (!(await isLink(join(folder, 'refs')))) await deleteRefs(join(folder, 'refs'), commit)
  await remove('snapshots', commit)
  await remove('.no_exist', commit)
  await remove('trees', `${commit}.json`)
  for (const [digest, size] of own) {
    if (shared.has(digest)) continue
    await remove('blobs', blobNameOf(digest))
    freedBytes += size
  }
  // With its last snapshot the repo goes: what another tool left in its blobs folder is reachable by nothing.
  if ((await names(join(folder, 'snapshots'))).length === 0)
    for (const whole of [folder, layout.apiAnswers(repo)]) await rm(whole, { recursive: true, force: true })
  return freedBytes
}

async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  )
}

async function deleteRefs(folder: string, commit: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(emptyWhenMissing)) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await deleteRefs(path, commit)
    else if (entry.isFile() && (await readFile(path, 'utf8')).trim() === commit) await rm(path, { force: true })
  }
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(emptyWhenMissing)
}

function emptyWhenMissing(error: unknown): [] {
  if (systemCode(error) === 'ENOENT') return []
  throw error
}
