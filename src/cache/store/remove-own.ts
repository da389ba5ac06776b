import { type Dirent, lstatSync, readdirSync, rmSync, statSync, unlinkSync } from 'node:fs'
import { rmdir, unlink } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import { systemCode } from '../../model/errors.ts'
import { isOurs } from './cache-folder.ts'
import type { Layout } from './layout.ts'
import { isAsideName } from './own-names.ts'

// Every deletion of the package is in this file. What it deletes lies in a marked cache folder, and every folder on the way there is a
// real one. A link is removed and never followed. The callers say which names are ours (`own-names.ts`). Node.js has no deletion
// relative to an open folder: who replaces a folder by a link between the check and the deletion (some microseconds) is not noticed.

/** True when the path lies in a marked cache folder, and no folder between the two is a link. */
export function mayRemove(layout: Layout, path: string): boolean {
  return isMarked(layout) && isReached(layout, path)
}

/** Removes a file or a link. A folder stays. True when something was removed. */
export function removeFile(layout: Layout, path: string): boolean {
  return mayRemove(layout, path) && unlinkFile(path)
}

/** How a file is removed: at once, or by a move to where it is deleted later. */
export type Remover = (path: string) => Promise<unknown> | boolean

/** Removes a link, and not what it leads to. True when it was one. */
export async function removeLink(layout: Layout, path: string, remove: Remover = unlink): Promise<boolean> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() || !mayRemove(layout, path)) return false
  await removeUnlessGone(path, remove)
  return true
}

/** Removes files and links of these names in a folder. Folders stay. */
export async function removeFiles(
  layout: Layout,
  folder: string,
  names: readonly string[],
  remove: Remover = unlink,
): Promise<void> {
  if (names.length === 0 || !mayRemove(layout, join(folder, 'file'))) return
  const removed = names.map((name) => removeUnlessGone(join(folder, name), remove))
  // No deletion is under way any more when this ends.
  await Promise.allSettled(removed)
  await Promise.all(removed)
}

/**
 * Removes what lies below a folder and is ours, and each folder that is empty then. `isOwn` gets the path below the folder, with the
 * separators of the platform; it is not asked about folders. True when the folder itself is gone.
 */
export async function removeBelow(
  layout: Layout,
  folder: string,
  isOwn: (path: string, entry: Dirent) => boolean,
  remove: Remover = unlink,
): Promise<boolean> {
  return mayRemove(layout, join(folder, 'file')) && emptyFolder(folder, '', isOwn, remove)
}

/** Removes a folder when nothing lies in it. True when it is gone. */
export async function removeEmptyFolder(layout: Layout, folder: string): Promise<boolean> {
  return mayRemove(layout, join(folder, 'file')) && removeIfEmpty(folder)
}

/** Removes a folder in `incoming` that was moved aside, with all that is in it. */
export function removeAside(layout: Layout, aside: string): void {
  if (isAsideName(basename(aside)) && mayRemove(layout, aside)) rmSync(aside, { recursive: true, force: true })
}

/** Removes a file of ours whose name has a random part: nobody else has a file of that name. */
export function removeUnique(path: string): void {
  unlinkFile(path)
}

/** Removes a lock file that the caller has read, and that is the caller's. */
export function removeLockFile(path: string): void {
  unlinkFile(path)
}

/** Removes a folder outside the cache that this run made for itself, and everything in it. */
export function removeFolderOfRun(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}

/** True for a cache folder of ours that this version can change. */
export function isMarked(layout: Layout): boolean {
  try {
    return isOurs(layout)
  } catch {
    // It is of a newer version, or unreadable: this version must not change it.
    return false
  }
}

/** Of what lies in a cache folder, `hub` alone may be a link: to a folder on another disk. */
function isReached(layout: Layout, path: string): boolean {
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

// To hand each of these steps to a thread takes ten times as long.
async function emptyFolder(
  folder: string,
  below: string,
  isOwn: (path: string, entry: Dirent) => boolean,
  remove: Remover,
): Promise<boolean> {
  let isEmpty = true
  for (const entry of thingsIn(join(folder, below))) {
    const path = join(below, entry.name)
    if (entry.isDirectory()) isEmpty = (await emptyFolder(folder, path, isOwn, remove)) && isEmpty
    else if (isOwn(path, entry)) await removeUnlessGone(join(folder, path), remove)
    else isEmpty = false
  }
  return isEmpty && removeIfEmpty(join(folder, below))
}

function thingsIn(folder: string): Dirent[] {
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

/** In a thread, as ext4 waits for its journal for each folder that goes: of several folders it waits at once. */
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
