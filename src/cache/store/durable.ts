import { renameSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Entry } from '../../model/entry.ts'
import { systemCode } from '../../model/errors.ts'
import type { HubPath } from '../../model/hub-path.ts'
import { isAbsent } from './atomic-write.ts'
import type { Layout } from './layout.ts'
import { entriesIn } from './list-folder.ts'
import { Origin } from './origin.ts'
import { uniqueBeside } from './own-names.ts'
import { removeUnique } from './remove-own.ts'

// A rename can reach the disk before the bytes of the file do. After a loss of power the file is then empty, or full of
// zeros. What the cache depends on is therefore written to the disk before it gets its name.

/**
 * Replaces a file so that after a kill or a loss of power it has the old content or the new one. Called under a lock, and
 * asks right before the rename whether that is still held. False when it was lost: then nothing was changed.
 *
 * A process can be stopped between that question and the rename. Whoever takes the lock from it therefore calls
 * `removeReplacements` first: the rename then finds no file, and this function answers false.
 */
export async function replaceDurably(path: string, content: string, isAllowed = () => true): Promise<boolean> {
  const temporary = uniqueBeside(path, 'tmp')
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    if (!isAllowed()) return false
    renameSync(temporary, path)
    return true
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    throw error
  } finally {
    removeUnique(temporary)
  }
}

/** Removes what other processes were about to replace the file by. Called by the process that has the file's lock now. */
export function removeReplacements(path: string): void {
  const [folder, start] = [dirname(path), `${basename(path)}.`]
  for (const { name } of entriesIn(folder))
    if (name.startsWith(start) && REPLACEMENT.test(name.slice(start.length))) removeUnique(join(folder, name))
}

const REPLACEMENT = /^\d+-[0-9a-f]{12}\.tmp$/

/** Waits until all by which these files of an entry are found is on the disk: refs, listing, and the names in folders. */
export async function syncNames(
  layout: Layout,
  { repo, revision, commit, snapshot, endpoint }: Entry,
  paths: HubPath[],
): Promise<void> {
  const files = paths.map((path) => layout.file(repo, snapshot, path))
  const origin = endpoint === undefined ? undefined : new Origin(layout, endpoint)
  const answers = origin
    ? [origin.mark, origin.tree(repo, commit), origin.repoInfo(repo, commit), origin.ref(repo, revision)]
    : []
  const folders = new Set([layout.snapshot(repo, snapshot), ...answers.map((path) => dirname(path))])
  for (const file of files)
    for (let folder = dirname(file); !folders.has(folder); folder = dirname(folder)) folders.add(folder)
  for (const room of ['blobs', 'refs', 'snapshots']) folders.add(join(layout.repo(repo), room))
  const named = [...answers, layout.ref(repo, revision), ...folders]
  await syncAll([...named, layout.repo(repo), layout.hub, layout.directory])
}

// Side by side they share what the file system writes for each. Node.js has no more threads for it.
const AT_ONCE = 4

async function syncAll(paths: string[]): Promise<void> {
  const left = paths.values()
  const syncNext = async () => {
    for (const path of left) await syncToDisk(path)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, syncNext))
}

/** Waits until a file, or the names in a folder, are on the disk. Nothing where there is none, or the system has no such call. */
export async function syncToDisk(path: string): Promise<void> {
  try {
    const file = await open(path, 'r')
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    // Windows opens no folders, and some file systems do not write single files to the disk.
    if (!isAbsent(error) && !NOT_SUPPORTED.includes(systemCode(error) ?? '')) throw error
  }
}

const NOT_SUPPORTED = ['EPERM', 'EACCES', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EROFS']
