import { closeSync, fsync, openSync, renameSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Entry } from '../../model/entry.ts'
import { systemCode } from '../../model/errors.ts'
import type { HubPath } from '../../model/hub-path.ts'
import { isAbsent } from './atomic-write.ts'
import type { Layout } from './layout.ts'
import { entriesIn } from './list-folder.ts'
import { Origin } from './origin.ts'
import { uniqueBeside } from './own-names.ts'
import { removeUnique } from './remove-own.ts'

const flush = promisify(fsync)

// A rename can reach the disk before the bytes of the file do. After a loss of power the file is then empty, or full of
// zeros. Files that the cache depends on are therefore synced to the disk before they are renamed.

/**
 * Replaces a file so that after a kill or a loss of power it has either the old content or the new content. The caller holds a
 * lock. `isAllowed` is called right before the rename, and returns whether the lock is still held. Returns false when the lock
 * was lost: then nothing was changed. The temporary file is made in `folder`, which has to be on the same disk.
 *
 * A process can be stopped between this check and the rename. The next process that takes the lock therefore calls
 * `removeReplacements` first. The late rename then finds no file, and this function returns false.
 */
export async function replaceDurably(
  path: string,
  content: string | Uint8Array,
  isAllowed = () => true,
  folder = dirname(path),
): Promise<boolean> {
  const temporary = uniqueBeside(join(folder, basename(path)), 'tmp')
  try {
    const file = openSync(temporary, 'wx', 0o600)
    try {
      writeFileSync(file, content)
      await flush(file)
    } finally {
      closeSync(file)
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

/** Removes the temporary files of other processes that were about to replace the file at `path`. The caller holds the file's lock. */
export function removeReplacements(path: string): void {
  const [folder, start] = [dirname(path), `${basename(path)}.`]
  for (const { name } of entriesIn(folder))
    if (name.startsWith(start) && REPLACEMENT.test(name.slice(start.length))) removeUnique(join(folder, name))
}

const REPLACEMENT = /^\d+-[0-9a-f]{12}\.tmp$/

/** Waits until everything that is needed to find these files of an entry is on the disk: refs, listing, and folder contents. */
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

// Concurrent syncs share one commit of the file system's journal. By default Node.js has four threads for file operations.
const AT_ONCE = 4

async function syncAll(paths: string[]): Promise<void> {
  const left = paths.values()
  const syncNext = async () => {
    for (const path of left) await syncToDisk(path)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, syncNext))
}

/** Waits until a file or the contents of a folder are on the disk. Does nothing when the path is absent or can't be synced. */
export async function syncToDisk(path: string): Promise<void> {
  try {
    const file = await open(path, 'r')
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    // Windows can't open folders, and some file systems can't sync single files.
    if (!isAbsent(error) && !NOT_SUPPORTED.includes(systemCode(error) ?? '')) throw error
  }
}

const NOT_SUPPORTED = ['EPERM', 'EACCES', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EROFS']
