import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { blobNameOf } from '../../model/digest.ts'
import { type Entry, isPacked } from '../../model/entry.ts'
import { systemCode } from '../../model/errors.ts'
import { snapshotOf } from '../../model/snapshot.ts'
import { Slices } from '../../platform/slices.ts'
import type { Layout } from '../store/layout.ts'
import type { Hold } from '../store/locks/lock.ts'
import { skeletonNameOf } from '../store/own-names.ts'
import { Aside } from '../store/removal/aside.ts'
import { removeAnswers } from '../store/removal/remove-answers.ts'
import { removeApiAnswers, removeCommit, removeRefs, removeRepo, removeSnapshot } from '../store/removal/remove-repo.ts'
import { removeFiles, removeLink } from '../store/remove-own.ts'
import { isOnnxFile } from '../store/skeletons/skeleton-file.ts'

/** An entry whose record was removed, and the other recorded entries of its repo. */
export interface Taken {
  entry: Entry
  siblings: Entry[]
  /** The lock of its repo. */
  hold: Hold
}

type TakenOfRepo = [Taken, ...Taken[]]

/** Deletes the files that no other entry of their repos needs. The caller holds the lock of each repo. Returns the bytes that become free. */
export async function deleteFiles(layout: Layout, taken: Taken[]): Promise<number> {
  const folders = byFolder(taken)
  // Files behind a link belong to another cache, such as the user's own Hugging Face cache. Only the link is removed.
  const linked = new Set<TakenOfRepo>()
  await sideBySide(folders, async (ofRepo) => {
    for (const each of ofRepo) if (await isBehindLink(layout, each)) linked.add(ofRepo)
  })
  const own = folders.filter((ofRepo) => !linked.has(ofRepo))
  const asides = new Map(own.map((ofRepo) => [ofRepo, Aside.begin(layout, ofRepo[0].hold)]))
  const withAside = (act: (aside: Aside, each: Taken) => Promise<void>) =>
    sideBySide(own, async (ofRepo) => {
      const aside = asides.get(ofRepo)
      for (const each of ofRepo) if (aside) await act(aside, each)
      await aside?.empty()
    })
  try {
    await withAside((aside, { entry }) => deleteSnapshot(aside, entry))
    // Counted after all snapshots are deleted, because on some file systems their files are further names of the blobs.
    const bytes = await bytesBehind(await ownBlobs(layout, own.flat()))
    await withAside(deleteRest)
    return bytes
  } finally {
    await Promise.all([...asides.values()].map((aside) => aside.end()))
  }
}

/** On some disks, names that differ only in case are the same folder. Such names always have the same lock. */
function byFolder(taken: Taken[]): TakenOfRepo[] {
  const folders = new Map<Hold, TakenOfRepo>()
  for (const each of taken) {
    const others = folders.get(each.hold)
    if (others) others.push(each)
    else folders.set(each.hold, [each])
  }
  return [...folders.values()]
}

/** Returns only after all work has ended, also when some of it fails, because the caller then releases the locks. */
async function sideBySide(folders: TakenOfRepo[], act: (ofRepo: TakenOfRepo) => Promise<void>): Promise<void> {
  const slices = new Slices()
  const all: Promise<void>[] = []
  for (const folder of folders) {
    if (slices.areOver) await slices.pause()
    const acted = act(folder)
    // A failure is thrown below.
    acted.catch(() => undefined)
    all.push(acted)
  }
  await Promise.allSettled(all)
  await Promise.all(all)
}

async function isBehindLink(layout: Layout, { entry, siblings, hold }: Taken): Promise<boolean> {
  const folder = layout.repo(entry.repo)
  if (!(await isLink(folder))) return false
  if (siblings.length === 0 && hold.isOurs()) await removeLink(layout, folder)
  return true
}

export async function deleteSnapshot(aside: Aside, entry: Entry): Promise<void> {
  const remove = (path: string) => aside.take(path)
  // The refs are removed first. Other tools refuse a repo with a ref to a missing snapshot, and a kill may come at any time.
  if (entry.snapshot === snapshotOf(entry.commit))
    await removeRefs(aside.layout, aside.layout, entry.repo, (commit) => commit === entry.commit, remove)
  await removeSnapshot(aside.layout, entry, remove)
}

async function deleteRest(aside: Aside, taken: Taken): Promise<void> {
  const { layout } = aside
  const { repo, commit, snapshot } = taken.entry
  const remove = (path: string) => aside.take(path)
  await removeAnswers(layout, taken.entry, taken.siblings, remove)
  if (snapshot === snapshotOf(commit)) await removeCommit(layout, repo, commit, remove)
  await removeFiles(layout, join(layout.repo(repo), 'blobs'), unsharedFiles(taken), remove)
  if ((await names(join(layout.repo(repo), 'snapshots'))).length > 0) return
  // The last snapshot is gone, so the repo is removed. No file refers to blobs that another tool left in it. A packed commit has no
  // snapshot, and may need some of the blobs.
  if (taken.siblings.some((sibling) => [...sibling.files.values()].some((file) => !isPacked(file)))) return
  await removeRepo(layout, repo, remove)
  await removeApiAnswers(layout, layout.formerApi, repo)
}

/** The names of the blobs that no other entry needs on disk, and of their skeletons. */
export function unsharedFiles({ entry, siblings }: Pick<Taken, 'entry' | 'siblings'>): string[] {
  const others = siblings.flatMap(({ files }) => [...files.values()].filter((file) => !isPacked(file)))
  const shared = new Set(others.map(({ digest }) => digest))
  const own = [...entry.files].filter(([, { digest }]) => !shared.has(digest))
  const names = own.flatMap(([path, { digest }]) => {
    const blob = blobNameOf(digest)
    return isOnnxFile(path) ? [blob, skeletonNameOf(blob)] : [blob]
  })
  return [...new Set(names)]
}

/** The paths of all blobs to delete, and of their skeletons. */
async function ownBlobs(layout: Layout, taken: Taken[]): Promise<Set<string>> {
  const paths = taken.map(async (each) => {
    const { repo } = each.entry
    const folder = join(layout.repo(repo), 'blobs')
    return (await isLink(folder)) ? [] : unsharedFiles(each).map((name) => join(folder, name))
  })
  return new Set((await Promise.all(paths)).flat())
}

/** The bytes of the files whose last names these are. A file may have more names, in another repo or in the user's own cache. */
export async function bytesBehind(paths: Set<string>): Promise<number> {
  const found = [...paths].map((path) => lstat(path, { bigint: true }).catch(() => undefined))
  const left = new Map<string, bigint>()
  let bytes = 0
  for (const stats of await Promise.all(found)) {
    if (!stats) continue
    const key = `${stats.dev} ${stats.ino}`
    const names = (left.get(key) ?? stats.nlink) - 1n
    left.set(key, names)
    if (names === 0n) bytes += Number(stats.size)
  }
  return bytes
}

async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  )
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(emptyWhenMissing)
}

function emptyWhenMissing(error: unknown): [] {
  if (systemCode(error) === 'ENOENT') return []
  throw error
}
