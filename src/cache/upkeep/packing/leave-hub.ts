import { lstatSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { blobNameOf } from '../../../model/digest.ts'
import { type Entry, packedContents } from '../../../model/entry.ts'
import { snapshotOf } from '../../../model/snapshot.ts'
import type { Layout } from '../../store/layout.ts'
import type { Hold } from '../../store/locks/lock.ts'
import { skeletonNameOf } from '../../store/own-names.ts'
import { Aside } from '../../store/removal/aside.ts'
import { removeCommit } from '../../store/removal/remove-repo.ts'
import { removeEmptyFolder, removeFiles } from '../../store/remove-own.ts'
import { bytesBehind, deleteSnapshot, unsharedFiles } from '../delete-files.ts'

/**
 * Removes the snapshot of a packed entry, and its packed blobs that no other entry needs on disk. Other tools then find nothing of the
 * commit in `hub/`, and download the whole of it. What the endpoint stated about the commit stays, because it is needed to restore the
 * entry without the network. The caller holds the lock of the repo. Returns the bytes that became free.
 */
export async function leaveHub(layout: Layout, hold: Hold, entry: Entry, siblings: Entry[]): Promise<number> {
  const { repo, commit, snapshot } = entry
  const folder = join(layout.repo(repo), 'blobs')
  const unshared = new Set(unsharedFiles({ entry, siblings }))
  const names = [...packedContents(entry).keys()].map(blobNameOf).filter((name) => unshared.has(name))
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

/** True for a blob that has no second name elsewhere. So packing it frees its bytes. */
export function isOnlyName(path: string): boolean {
  const folders = [dirname(path), dirname(dirname(path))].map((folder) =>
    lstatSync(folder, { throwIfNoEntry: false })?.isDirectory(),
  )
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return folders.every(Boolean) && stats?.isFile() === true && stats.nlink === 1
}
