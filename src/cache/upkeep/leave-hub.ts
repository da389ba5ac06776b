import { lstatSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { blobNameOf, type Digest } from '../../model/digest.ts'
import { type Entry, isPacked } from '../../model/entry.ts'
import { snapshotOf } from '../../model/snapshot.ts'
import type { Layout } from '../store/layout.ts'
import type { Hold } from '../store/locks/lock.ts'
import { skeletonNameOf } from '../store/own-names.ts'
import { Aside } from '../store/removal/aside.ts'
import { removeCommit } from '../store/removal/remove-repo.ts'
import { removeEmptyFolder, removeFiles } from '../store/remove-own.ts'
import { bytesBehind, deleteSnapshot, unsharedFiles } from './delete-files.ts'

/**
 * Removes the snapshot of a packed entry, and its packed blobs that no other entry needs on disk. Other tools then find no trace of the
 * commit in `hub/`, and download it as one that they never had. What the endpoint stated about it stays: it is needed to restore the
 * entry without the network. The caller holds the lock of the repo. Returns the bytes that became free.
 */
export async function leaveHub(layout: Layout, hold: Hold, entry: Entry, siblings: Entry[]): Promise<number> {
  const { repo, commit, snapshot } = entry
  const folder = join(layout.repo(repo), 'blobs')
  const names = packedOnly(entry, siblings).map(blobNameOf)
  const files = [...names, ...names.map(skeletonNameOf)]
  const aside = Aside.begin(layout, hold)
  const remove = (path: string) => aside.take(path)
  try {
    await deleteSnapshot(aside, entry)
    if (snapshot === snapshotOf(commit)) await removeCommit(layout, repo, commit, remove)
    const bytes = await bytesBehind(new Set(files.map((name) => join(folder, name))))
    await removeFiles(layout, folder, files, remove)
    for (const name of ['refs', 'blobs', 'trees', '.no_exist', 'snapshots'])
      await removeEmptyFolder(layout, join(layout.repo(repo), name))
    await removeEmptyFolder(layout, layout.repo(repo))
    return bytes
  } finally {
    await aside.end()
  }
}

/** The packed blobs of the entry. */
export function packedDigests({ files }: Entry): Digest[] {
  return [...new Set([...files.values()].filter(isPacked).map(({ digest }) => digest))]
}

function packedOnly(entry: Entry, siblings: Entry[]): Digest[] {
  const own = new Set(unsharedFiles({ entry, siblings }))
  return packedDigests(entry).filter((digest) => own.has(blobNameOf(digest)))
}

/** True for a blob that has no second name elsewhere: packing it frees its bytes. */
export function isOnlyName(path: string): boolean {
  const folders = [dirname(path), dirname(dirname(path))].map((folder) =>
    lstatSync(folder, { throwIfNoEntry: false })?.isDirectory(),
  )
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return folders.every(Boolean) && stats?.isFile() === true && stats.nlink === 1
}
