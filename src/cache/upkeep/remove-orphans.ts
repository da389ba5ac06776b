import { lstat, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { blobNameOf } from '../../model/digest.ts'
import type { Entry } from '../../model/entry.ts'
import type { RepoId } from '../../model/repo-id.ts'
import { originals } from '../../platform/originals.ts'
import type { CacheContext } from '../context/context.ts'
import { isHubLinked } from '../store/cache-folder.ts'
import { type Amount, addTo } from '../store/downloads/leftovers.ts'
import { repoFolders } from '../store/entries/snapshot-files.ts'
import { entriesIn, filesBelow } from '../store/list-folder.ts'
import type { Hold } from '../store/locks/lock.ts'
import { isBlobName } from '../store/own-names.ts'
import { Aside, withFreeRepoLock } from '../store/removal/aside.ts'
import { mayRemove, removeFiles } from '../store/remove-own.ts'
import { removable } from './removable.ts'

// While a model is downloaded, by us or by another tool, its blobs have no snapshot and no record for a while.
const ALONE_FOR_MS = 24 * 3_600_000

export interface OrphanOptions {
  /** Milliseconds: only older blobs are removed. Default: a day. */
  aloneForMs?: number
  /** Only returns what would be removed. */
  dryRun?: boolean
  signal?: AbortSignal
}

/**
 * Removes blobs to which no record and no snapshot refers. A kill during a removal or a download leaves such blobs. Repos
 * whose locks are held are left for the next time.
 */
export async function removeOrphans(
  context: CacheContext,
  entries: Entry[],
  options: OrphanOptions = {},
): Promise<Amount> {
  const { layout } = context
  const recorded = blobsOf(entries)
  const removed = { files: 0, bytes: 0 }
  const ours = isHubLinked(layout) && new Set(removable(layout, entries).map(({ repo }) => repo))
  for await (const repo of repoFolders(layout.hub)) {
    if (ours && !ours.has(repo)) continue
    options.signal?.throwIfAborted()
    const folder = join(layout.repo(repo), 'blobs')
    const names = entriesIn(folder).flatMap((entry) => (entry.isFile() && isBlobName(entry.name) ? [entry.name] : []))
    const unknown = names.filter((name) => !recorded.has(`${repo} ${name}`))
    if (unknown.length === 0 || !mayRemove(layout, join(folder, 'file'))) continue
    const work = async (hold: Hold) =>
      removeAlone(context, repo, await stillUnknown(context, repo, unknown), hold, options)
    const alone = await withFreeRepoLock(layout, repo, work)
    for (const bytes of alone ?? []) addTo(removed, bytes)
  }
  return removed
}

function blobsOf(entries: Iterable<Entry>): Set<string> {
  const blobs = [...entries].flatMap(({ repo, files }) => [...files.values()].map(({ digest }) => ({ repo, digest })))
  return new Set(blobs.map(({ repo, digest }) => `${repo} ${blobNameOf(digest)}`))
}

/** Looks again under the repo's lock, because some of the blobs may have a record by now. */
async function stillUnknown(context: CacheContext, repo: RepoId, names: string[]): Promise<string[]> {
  const metadata = await context.metadata()
  const recorded = blobsOf((await metadata.all()).values())
  return names.filter((name) => !recorded.has(`${repo} ${name}`))
}

/** Removes those of the blobs that are old enough. Returns the bytes of each. */
async function removeAlone(
  context: CacheContext,
  repo: RepoId,
  names: string[],
  hold: Hold,
  { aloneForMs = ALONE_FOR_MS, dryRun }: OrphanOptions,
): Promise<number[]> {
  const folder = join(context.layout.repo(repo), 'blobs')
  const snapshots = join(context.layout.repo(repo), 'snapshots')
  const files = await filesBelow(snapshots)
  const targets = await Promise.all(files.map((path) => realpath(join(snapshots, path)).catch(() => undefined)))
  const linked = new Set(targets)
  const real = await realpath(folder).catch(() => folder)
  const alone: { name: string; bytes: number }[] = []
  for (const name of names) {
    // Another tool may have removed the blob.
    const stats = await lstat(join(folder, name)).catch(() => undefined)
    if (!stats || linked.has(join(real, name)) || originals.now() - stats.ctimeMs < aloneForMs) continue
    alone.push({ name, bytes: stats.nlink > 1 ? 0 : stats.size })
  }
  if (alone.length > 0 && !dryRun) {
    const aside = Aside.begin(context.layout, hold)
    const remove = async (path: string) => {
      if (await aside.take(path)) context.debug(`🗑️ Removed a blob to which nothing refers: ${path}`)
    }
    await removeFiles(
      context.layout,
      folder,
      alone.map(({ name }) => name),
      remove,
    ).finally(() => aside.end())
  }
  return alone.map(({ bytes }) => bytes)
}
