import { existsSync, renameSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { systemCode } from '../../../model/errors.ts'
import type { RepoId } from '../../../model/repo-id.ts'
import { isAbsent } from '../atomic-write.ts'
import type { Layout } from '../layout.ts'
import { type Hold, withFreeLock, withFreeLocks, withLock } from '../locks/lock.ts'
import { stopMaintenance } from '../locks/stop-maintenance.ts'
import { makeFolder } from '../make-folder.ts'
import { isAsideContainer, uniqueBeside } from '../own-names.ts'
import { mayRemove, removeAside, removeEmptyFolder, removeFile, removeFiles } from '../remove-own.ts'

// A process can be stopped (Ctrl-Z) at any instant, lose its lock, and later continue with a deletion that it decided on before. For
// this reason a file of a repo is not deleted in its place. It is first moved into a folder that belongs to this one removal, and is
// deleted there. The next process that takes the repo's lock moves that folder away before it does anything else. From then on, moves
// into the folder fail, because the folder is gone.

/**
 * As `withLock`, for the lock of a repo. When `work` begins, earlier holders of the lock can't remove files of the repo any more.
 * Maintenance in the background may hold the lock for long, so it is stopped.
 */
export async function withRepoLock<T>(
  layout: Layout,
  repo: RepoId,
  work: (hold: Hold) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  stopMaintenance(layout)
  return withLock(layout.lock(repo), afterRemovals(layout, work), signal)
}

/** As `withRepoLock` when the lock is free. Undefined when another process holds it: then `work` is not run. */
export async function withFreeRepoLock<T>(
  layout: Layout,
  repo: RepoId,
  work: (hold: Hold) => Promise<T>,
): Promise<T | undefined> {
  return withFreeLock(layout.lock(repo), afterRemovals(layout, work))
}

/** As `withRepoLock`, for the lock of the pack files. Its holder never waits for the lock of a repo. */
export async function withColdLock<T>(
  layout: Layout,
  work: (hold: Hold) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return withLock(layout.coldLock, afterRemovals(layout, work), signal)
}

/** As `withFreeRepoLock`, for the lock of the pack files. */
export async function withFreeColdLock<T>(layout: Layout, work: (hold: Hold) => Promise<T>): Promise<T | undefined> {
  return withFreeLock(layout.coldLock, afterRemovals(layout, work))
}

function afterRemovals<T>(layout: Layout, work: (hold: Hold) => Promise<T>): (hold: Hold) => Promise<T> {
  return async (hold) => {
    endRemovals(layout, hold.path)
    return work(hold)
  }
}

/** As `withFreeRepoLock`, for several lock files. `work` gets the locks that were free. */
export async function withFreeRepoLocks(
  layout: Layout,
  paths: string[],
  work: (holds: Hold[]) => Promise<void>,
): Promise<void> {
  await withFreeLocks(paths, async (holds) => {
    for (const hold of holds) endRemovals(layout, hold.path)
    await work(holds)
  })
}

/** The folder of one removal: files of a repo are moved here while its lock is held, and are deleted here. */
export class Aside {
  readonly #folder: string
  #count = 0
  #deleted = 0
  #isLost = false

  private constructor(
    readonly layout: Layout,
    readonly hold: Hold,
  ) {
    this.#folder = uniqueBeside(join(containerOf(hold.path), 'removed'), 'tmp')
  }

  /** Creates the folder of a new removal. `hold` is the repo's lock. */
  static begin(layout: Layout, hold: Hold): Aside {
    const aside = new Aside(layout, hold)
    try {
      makeFolder(layout, aside.#folder)
      // The folder is made before the lock is checked: a process that takes the lock after the check finds the folder.
      aside.#isLost = !hold.isOurs()
    } catch (error) {
      // A process that took the lock has moved the outer folder away meanwhile, or the cache folder was removed.
      if (!isAbsent(error)) throw error
      aside.#isLost = true
    }
    return aside
  }

  /** Moves a file or a link into the folder, synchronously. False when the file is gone, or when the lock was lost and the file stays. */
  take(path: string): boolean {
    if (this.#isLost) return false
    try {
      renameSync(path, this.newPath())
      return true
    } catch (error) {
      // The file is on another disk and can't be moved: it is deleted in its place while the lock is held.
      if (systemCode(error) === 'EXDEV') return this.hold.isOurs() && removeFile(this.layout, path)
      if (!isAbsent(error)) throw error
      this.#isLost = !existsSync(this.#folder)
      return false
    }
  }

  /** An unused path in this folder. A file that is created there can be moved elsewhere only until the lock is lost. */
  newPath(): string {
    return join(this.#folder, String(this.#count++))
  }

  /** Deletes the files that were moved here so far. */
  async empty(): Promise<void> {
    const names = Array.from({ length: this.#count - this.#deleted }, (_, index) => String(this.#deleted + index))
    this.#deleted = this.#count
    await removeFiles(this.layout, this.#folder, names)
  }

  /** Deletes the files that were moved here, and the folder. */
  async end(): Promise<void> {
    await this.empty()
    await removeEmptyFolder(this.layout, this.#folder)
    await removeEmptyFolder(this.layout, dirname(this.#folder))
  }
}

/** Deletes what a killed process left of a removal in `incoming`, unless the repo's lock is held. */
export async function sweepRemovals(layout: Layout, name: string): Promise<void> {
  if (!isAsideContainer(name)) return
  const lock = join(layout.incoming, name.replace(/\.aside$/, '.lock'))
  await withFreeLock(lock, async () => endRemovals(layout, lock))
}

function containerOf(lock: string): string {
  return join(dirname(lock), basename(lock).replace(/\.lock$/, '.aside'))
}

function endRemovals(layout: Layout, lock: string): void {
  const away = uniqueBeside(join(layout.incoming, 'removed'), 'tmp')
  try {
    if (!existsSync(containerOf(lock)) || !mayRemove(layout, containerOf(lock))) return
    renameSync(containerOf(lock), away)
  } catch (error) {
    if (isAbsent(error)) return
    throw error
  }
  removeAside(layout, away)
}
