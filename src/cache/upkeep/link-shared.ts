import type { BigIntStats } from 'node:fs'
import { link, lstat, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Digest } from '../../model/digest.ts'
import { type Entry, type EntryFile, entryKey } from '../../model/entry.ts'
import { messageOf } from '../../model/errors.ts'
import type { HubPath } from '../../model/hub-path.ts'
import type { RepoId } from '../../model/repo-id.ts'
import { groupBy } from '../../platform/group-by.ts'
import type { CacheContext } from '../context/context.ts'
import { type FileStamp, isAsRecorded, isWritableOnlyByUs, matchesDigest, stampOf } from '../store/blobs.ts'
import { type Amount, addTo } from '../store/downloads/leftovers.ts'
import { linkIntoSnapshot } from '../store/downloads/links.ts'
import { leasedEntries } from '../store/locks/leases.ts'
import { Aside, withFreeRepoLock } from '../store/removal/aside.ts'

interface LinkOptions {
  dryRun?: boolean
  signal?: AbortSignal
}

/** A blob of one repo. */
interface Blob {
  repo: RepoId
  path: string
  stats: BigIntStats
}

/**
 * Replaces equal blobs of several repos by hard links to one file. The file that stays is verified first. The others are
 * replaced by a rename, so a process that has one open can read on. These blobs stay as they are: blobs that other users can
 * write, blobs on other disks or behind links, blobs that a live run uses, and blobs of repos whose locks are held. A kill
 * leaves at most an old stamp (size, time, inode) in a record: then that file is verified when it is next asked for.
 */
export async function linkShared(context: CacheContext, entries: Entry[], options: LinkOptions): Promise<Amount> {
  const linked = { files: 0, bytes: 0 }
  const restamped: Restamped[] = []
  const ofRepos = groupBy(entries, ({ repo }) => repo)
  try {
    for (const [digest, { size, repos }] of sharedDigests(entries)) {
      options.signal?.throwIfAborted()
      const blobs = await ownBlobs(context, digest, size, [...repos])
      const [kept, ...others] = blobs.sort((a, b) => Number(b.stats.nlink - a.stats.nlink))
      const apart = others.filter(({ stats }) => stats.dev === kept?.stats.dev && stats.ino !== kept.stats.ino)
      if (!kept || apart.length === 0) continue
      if (!options.dryRun && !(await matchesDigest(kept.path, digest, size, options.signal))) continue
      for (const other of apart) {
        options.signal?.throwIfAborted()
        const users = (ofRepos.get(other.repo) ?? []).filter((entry) => hasDigest(entry, digest))
        const work = async (aside: Aside) =>
          restamped.push(...(await replace(context, kept, other, users, digest, aside)))
        // A file that has another name is not freed.
        if (await whereUnused(context, users, options, work)) addTo(linked, other.stats.nlink === 1n ? size : 0)
      }
    }
  } finally {
    await recordStamps(context, restamped)
  }
  return linked
}

// Linking a smaller file costs more than it saves.
const WORTH_LINKING_BYTES = 16 << 10

/** The digests that more than one repo has. */
function sharedDigests(entries: Entry[]): [Digest, { size: number; repos: Set<RepoId> }][] {
  const found = new Map<Digest, { size: number; repos: Set<RepoId> }>()
  for (const { repo, files } of entries)
    for (const { digest, size } of files.values()) {
      const known = found.get(digest) ?? { size, repos: new Set() }
      if (known.size === size) known.repos.add(repo)
      found.set(digest, known)
    }
  return [...found].filter(([, { size, repos }]) => size >= WORTH_LINKING_BYTES && repos.size > 1)
}

async function ownBlobs({ layout }: CacheContext, digest: Digest, size: number, repos: RepoId[]): Promise<Blob[]> {
  const found = repos.sort().map(async (repo): Promise<Blob[]> => {
    const path = layout.blob(repo, digest)
    const stats = await lstat(path, { bigint: true }).catch(() => undefined)
    // Files behind a link belong to another cache.
    const folders = [layout.repo(repo), dirname(path)].map((folder) => lstat(folder).catch(() => undefined))
    const isOwn = (await Promise.all(folders)).every((folder) => folder?.isDirectory())
    return isOwn && stats?.isFile() && Number(stats.size) === size && isWritableOnlyByUs(stats)
      ? [{ repo, path, stats }]
      : []
  })
  return (await Promise.all(found)).flat()
}

/** Calls `work` when no live run uses the entries and the lock of their repo is free. True when `work` changed something. */
async function whereUnused(
  { layout }: CacheContext,
  users: Entry[],
  { dryRun }: LinkOptions,
  work: (aside: Aside) => Promise<number>,
): Promise<boolean> {
  const [first] = users
  const isUsed = async () => {
    const leased = await leasedEntries(layout)
    return users.some((entry) => leased.has(entryKey(entry)))
  }
  if (!first || (await isUsed())) return false
  if (dryRun) return true
  const done = await withFreeRepoLock(layout, first.repo, async (hold) => {
    if (await isUsed()) return false
    const aside = Aside.begin(layout, hold)
    return (await work(aside).finally(() => aside.end())) > 0
  })
  return done ?? false
}

/** A file of a model that was replaced by another, verified file: its record needs the new stamp. */
interface Restamped {
  key: string
  path: HubPath
  before: EntryFile
  now: FileStamp
}

/** Returns the files that were replaced. Empty when that was not possible. */
async function replace(
  context: CacheContext,
  kept: Blob,
  other: Blob,
  users: Entry[],
  digest: Digest,
  aside: Aside,
): Promise<Restamped[]> {
  const { layout } = context
  const temporary = aside.newPath()
  try {
    await link(kept.path, temporary)
    await rename(temporary, other.path)
  } catch (error) {
    // The blob was removed meanwhile, or the file system has no hard links.
    context.debug(`${other.path} could not be linked, and stays as it is: ${messageOf(error)}`)
    return []
  }
  const restamped: Restamped[] = []
  for (const entry of users)
    for (const [path, before] of entry.files) {
      if (before.digest !== digest) continue
      const { repo, snapshot } = entry
      // On a file system without symbolic links, the snapshot still has a hard link to the old file.
      await linkIntoSnapshot(layout, { repo, snapshot, path, digest })
      const now = stampOf(layout.file(repo, snapshot, path))
      if (now) restamped.push({ key: entryKey(entry), path, before, now })
    }
  return restamped
}

/**
 * Records the new stamps in one write. Until then the files count as changed, and would be verified. A record that another
 * process changed meanwhile stays.
 */
async function recordStamps(context: CacheContext, restamped: Restamped[]): Promise<void> {
  if (restamped.length === 0) return
  const metadata = await context.metadata()
  await metadata.update((all) => {
    for (const { key, path, before, now } of restamped) {
      const file = all.get(key)?.files.get(path)
      if (file && file.digest === before.digest && isAsRecorded(file, before)) Object.assign(file, now)
    }
  })
}

function hasDigest({ files }: Entry, digest: Digest): boolean {
  return [...files.values()].some((file) => file.digest === digest)
}
