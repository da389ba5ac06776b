import { type Dirent, lstatSync, readdirSync, rmSync, statSync, unlinkSync } from 'node:fs'
import { rmdir, unlink } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import { systemCode } from '../../model/errors.ts'
import { isOurs } from './cache-folder.ts'
import type { Layout } from './layout.ts'
import { isAsideName } from './own-names.ts'

// Every deletion of files of the cache is in this file. A file is deleted only in a cache folder with a marker file, and only when no
// folder on its path is a link. A link is removed and never followed. The callers say which names are ours (`own-names.ts`). Three
// functions need no such check: `removeUnique`, `removeLockFile` and `removeFolderOfRun`. They delete temporary files with a random
// name, lock files, and the temporary folder of a run.
//
// Node.js can't delete relative to an open folder. So it is not noticed when another process replaces a folder by a link between the
// check and the deletion (some microseconds).

/** True when the path is in a cache folder with a marker file, and no folder between the two is a link. */
export function mayRemove(layout: Layout, path: string): boolean {
  return isMarked(layout) && isWithoutLinks(layout, path)
}

/** Removes a file or a link; a folder stays. True when something was removed. */
export function removeFile(layout: Layout, path: string): boolean {
  return mayRemove(layout, path) && unlinkFile(path)
}

/** Removes one file: by deleting it, or by moving it aside to be deleted later. */
export type Remover = (path: string) => Promise<unknown> | boolean

/** Removes a symbolic link, but not its target. False when the path is no symbolic link or may not be removed. */
export async function removeLink(layout: Layout, path: string, remove: Remover = unlink): Promise<boolean> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() || !mayRemove(layout, path)) return false
  await removeUnlessGone(path, remove)
  return true
}

/** Removes the files and links with these names from a folder. Folders stay. */
export async function removeFiles(
  layout: Layout,
  folder: string,
  names: readonly string[],
  remove: Remover = unlink,
): Promise<void> {
  if (names.length === 0 || !mayRemove(layout, join(folder, 'file'))) return
  const removed = names.map((name) => removeUnlessGone(join(folder, name), remove))
  // Waits for all deletions, also when one failed.
  await Promise.allSettled(removed)
  await Promise.all(removed)
}

/**
 * Removes the files and links below a folder that `isOwn` accepts, and each folder that is then empty. `isOwn` gets the path relative to
 * the folder, with the separators of the platform. It is not called for folders. True when the folder itself is gone.
 */
export async function removeBelow(
  layout: Layout,
  folder: string,
  isOwn: (path: string, entry: Dirent) => boolean,
  remove: Remover = unlink,
): Promise<boolean> {
  return mayRemove(layout, join(folder, 'file')) && emptyFolder(folder, '', isOwn, remove)
}

/** Removes a folder if it is empty. True when it is gone. */
export async function removeEmptyFolder(layout: Layout, folder: string): Promise<boolean> {
  return mayRemove(layout, join(folder, 'file')) && removeIfEmpty(folder)
}

/** Removes a folder in `incoming` that was moved aside, with its contents. */
export function removeAside(layout: Layout, aside: string): void {
  if (isAsideName(basename(aside)) && mayRemove(layout, aside)) rmSync(aside, { recursive: true, force: true })
}

/** Removes a file whose name has a random part. No process gives the same name to another file. */
export function removeUnique(path: string): void {
  unlinkFile(path)
}

/** Removes a lock file. The caller has read it and may remove it. */
export function removeLockFile(path: string): void {
  unlinkFile(path)
}

/** Removes a folder outside of the cache that this run created for itself, with its contents. */
export function removeFolderOfRun(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}

/** True for a cache folder with a marker file, of a format that this version can change. */
export function isMarked(layout: Layout): boolean {
  try {
    return isOurs(layout)
  } catch {
    // The folder has a newer format or is unreadable: this version must not change it.
    return false
  }
}

/** True when every folder on the path is a real folder. Only `hub` may be a link: to a folder on another disk. */
function isWithoutLinks(layout: Layout, path: string): boolean {
  const [name, ...rest] = relative(layout.directory, path).split(sep).reverse()
  const folders = rest.reverse()
  if (name === '' || [name, folders[0]].includes('..')) return false
  let folder = layout.directory
  return folders.every((name) => {
    folder = join(folder, name)
    const look = folder === layout.hub ? statSync : lstatSync
    return look(folder, { throwIfNoEntry: false })?.isDirectory() === true
  })
}

function unlinkFile(path: string): boolean {
  try {
    if (lstatSync(path).isDirectory()) return false
    unlinkSync(path)
    return true
  } catch (error) {
    ignoreAbsent(error)
    return false
  }
}

// Lists folders synchronously, because an asynchronous call takes ten times as long.
async function emptyFolder(
  folder: string,
  below: string,
  isOwn: (path: string, entry: Dirent) => boolean,
  remove: Remover,
): Promise<boolean> {
  let isEmpty = true
  for (const entry of entriesOf(join(folder, below))) {
    const path = join(below, entry.name)
    if (entry.isDirectory()) isEmpty = (await emptyFolder(folder, path, isOwn, remove)) && isEmpty
    else if (isOwn(path, entry)) await removeUnlessGone(join(folder, path), remove)
    else isEmpty = false
  }
  return isEmpty && removeIfEmpty(join(folder, below))
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    ignoreAbsent(error)
    return []
  }
}

async function removeUnlessGone(path: string, remove: Remover): Promise<void> {
  try {
    await remove(path)
  } catch (error) {
    ignoreAbsent(error)
  }
}

/** Asynchronous, because ext4 waits for its journal at each removal of a folder. Concurrent removals share one wait. */
async function removeIfEmpty(folder: string): Promise<boolean> {
  return rmdir(folder).then(() => true, ignoreNotEmpty)
}

function ignoreAbsent(error: unknown): undefined {
  if (!['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCode(error) ?? '')) throw error
}

function ignoreNotEmpty(error: unknown): boolean {
  if (systemCode(error) === 'ENOENT') return true
  if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(systemCode(error) ?? '')) return false
  throw error
}
