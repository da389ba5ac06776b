import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { systemCode } from '../../model/errors.ts'
import type { RepoId } from '../../model/repo-id.ts'
import { isAbsent } from './atomic-write.ts'
import type { Layout } from './layout.ts'
import { type Hold, withFreeLock, withFreeLocks, withLock } from './lock.ts'
import { isAsideContainer, uniqueBeside } from './own-names.ts'
import { mayRemove, removeAside, removeEmptyFolder, removeFile, removeFiles } from './remove-own.ts'

// A process can be stopped (Ctrl-Z) at any instant, lose its lock, and continue later with a deletion that was decided before. So
// nothing of a repo is deleted where it lies: it is moved into a folder of this one deletion first, and deleted there. Whoever takes the
// repo's lock next moves that folder away before anything else. From then on the file system itself refuses the late moves.

/** Runs `work` under the lock of a repo, of which no earlier holder can remove anything any more. As `withLock`. */
export async function withRepoLock<T>(
  layout: Layout,
  repo: RepoId,
  work: (hold: Hold) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return withLock(
    layout.lock(repo),
    async (hold) => {
      endRemovals(layout, hold.path)
      return work(hold)
    },
    signal,
  )
}

/** As `withRepoLock`, when the lock is free; undefined when it is held. */
export async function withFreeRepoLock<T>(
  layout: Layout,
  repo: RepoId,
  work: (hold: Hold) => Promise<T>,
): Promise<T | undefined> {
  return withFreeLock(layout.lock(repo), async (hold) => {
    endRemovals(layout, hold.path)
    return work(hold)
  })
}

/** As `withFreeRepoLock`, for those of these lock files that are free. */
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

/** Where files of one repo go while its lock is held, to be deleted there. */
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

  static begin(layout: Layout, hold: Hold): Aside {
    const aside = new Aside(layout, hold)
    mkdirSync(aside.#folder, { recursive: true, mode: 0o700 })
    // In this order: whoever takes the lock after this question finds the folder.
    aside.#isLost = !hold.isOurs()
    return aside
  }

  /** Moves a file or a link here, at once. False when it is gone, or the lock was lost: then it stays. */
  take(path: string): boolean {
    if (this.#isLost) return false
    try {
      renameSync(path, this.newPath())
      return true
    } catch (error) {
      // Another disk: there it is deleted at once, as long as the lock is held.
      if (systemCode(error) === 'EXDEV') return this.hold.isOurs() && removeFile(this.layout, path)
      if (!isAbsent(error)) throw error
      this.#isLost = !existsSync(this.#folder)
      return false
    }
  }

  /** A path in this folder. A file there can be moved to its place as long as the lock is held. */
  newPath(): string {
    return join(this.#folder, String(this.#count++))
  }

  /** Deletes what was moved here so far. */
  async empty(): Promise<void> {
    const names = Array.from({ length: this.#count - this.#deleted }, (_, index) => String(this.#deleted + index))
    this.#deleted = this.#count
    await removeFiles(this.layout, this.#folder, names)
  }

  async end(): Promise<void> {
    await this.empty()
    await removeEmptyFolder(this.layout, this.#folder)
    await removeEmptyFolder(this.layout, dirname(this.#folder))
  }
}

/** Deletes what a removal that was killed left in `incoming`, unless the repo is worked on. */
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
