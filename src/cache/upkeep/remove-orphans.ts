import { lstatSync } from 'node:fs'
import { lstat, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
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
import { blobOfSkeleton, isBlobName, skeletonNameOf } from '../store/own-names.ts'
import { Aside, withFreeRepoLock } from '../store/removal/aside.ts'
import { mayRemove, removeEmptyFolder, removeFiles } from '../store/remove-own.ts'
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
 * Removes blobs to which no record and no snapshot refers, and skeletons without a blob. A kill during a removal or a download leaves
 * such files. Repos whose locks are held are left for the next time.
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
    options.signal?.throwIfAborted()
    const folder = join(layout.repo(repo), 'blobs')
    const names = entriesIn(folder).flatMap((entry) => (entry.isFile() ? [entry.name] : []))
    const isUnknown = (name: string) => isBlobName(name) && !recorded.has(`${repo} ${name}`)
    // Another tool may have written the blobs of a linked `hub`. Skeletons are always ours.
    const unknown = ours && !ours.has(repo) ? [] : names.filter(isUnknown)
    const hasStrays = names.some((name) => isStray(name, names))
    if ((unknown.length === 0 && !hasStrays) || !mayRemove(layout, join(folder, 'file'))) continue
    const work = async (hold: Hold) => {
      const alone = await aloneIn(context, repo, await stillUnknown(context, repo, unknown), options)
      return removeNamed(context, folder, [...alone, ...straysIn(folder)], hold, options)
    }
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

/** True for a skeleton whose blob is not among the names of its folder. */
function isStray(name: string, names: string[]): boolean {
  const blob = blobOfSkeleton(name)
  return blob !== undefined && !names.includes(blob)
}

function straysIn(folder: string): string[] {
  const names = entriesIn(folder).map(({ name }) => name)
  return names.filter((name) => isStray(name, names))
}

/** Those of the blobs that are old enough and to which no snapshot refers, with their skeletons. */
async function aloneIn(
  context: CacheContext,
  repo: RepoId,
  names: string[],
  { aloneForMs = ALONE_FOR_MS }: OrphanOptions,
): Promise<string[]> {
  if (names.length === 0) return []
  const folder = join(context.layout.repo(repo), 'blobs')
  const snapshots = join(context.layout.repo(repo), 'snapshots')
  const files = await filesBelow(snapshots)
  const targets = await Promise.all(files.map((path) => realpath(join(snapshots, path)).catch(() => undefined)))
  const linked = new Set(targets)
  const real = await realpath(folder).catch(() => folder)
  const alone: string[] = []
  for (const name of names) {
    // Another tool may have removed the blob.
    const stats = await lstat(join(folder, name)).catch(() => undefined)
    if (!stats || linked.has(join(real, name)) || originals.now() - stats.ctimeMs < aloneForMs) continue
    alone.push(name)
  }
  return [...alone, ...alone.map(skeletonNameOf)]
}

/** Removes files from the folder of blobs. Returns the bytes of each. */
async function removeNamed(
  { layout, debug }: CacheContext,
  folder: string,
  names: string[],
  hold: Hold,
  { dryRun }: OrphanOptions,
): Promise<number[]> {
  const stats = names.map((name) => lstatSync(join(folder, name), { throwIfNoEntry: false }))
  const bytes = stats.flatMap((each) => (each ? [each.nlink > 1 ? 0 : each.size] : []))
  if (bytes.length === 0 || dryRun) return bytes
  const aside = Aside.begin(layout, hold)
  const remove = (path: string) => {
    const isTaken = aside.take(path)
    if (isTaken) debug(`🗑️ Removed a blob to which nothing refers: ${path}`)
    return isTaken
  }
  await removeFiles(layout, folder, names, remove).finally(() => aside.end())
  // An earlier version, or another tool, removed the model and left the skeleton.
  if (await removeEmptyFolder(layout, folder)) await removeEmptyFolder(layout, dirname(folder))
  return bytes
}
