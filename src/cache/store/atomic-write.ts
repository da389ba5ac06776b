import { mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { copyFile, mkdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { systemCode } from '../../model/errors.ts'
import { originals } from '../../platform/originals.ts'
import { uniqueBeside } from './own-names.ts'
import { removeUnique } from './remove-own.ts'

// `src/cache/store` reads and writes small files synchronously: a synchronous step takes some 20 µs, an asynchronous step takes ten
// times as long.

/**
 * Writes a file so that a reader sees either the old content or the new content, also after the writer was killed. A killed
 * writer can leave a temporary file in `folder`. Use a `folder` other than the file's own where other tools read all files.
 */
export function writeAtomically(path: string, content: string, folder = dirname(path)): void {
  replaceFile(path, folder, (temporary) => writeFileSync(temporary, content, { mode: 0o600 }))
}

/** Lets `make` create a file under a temporary name in `folder`, and moves that file to `path`. */
export function replaceFile(path: string, folder: string, make: (temporary: string) => void): void {
  // The temporary name does not contain the file's name, which may have the maximum length already.
  const temporary = uniqueBeside(join(folder, 'new'), 'tmp')
  const replace = () => {
    make(temporary)
    renameSync(temporary, path)
  }
  try {
    try {
      replace()
    } catch (error) {
      // The folders nearly always exist, so they are created only after a failure.
      if (systemCode(error) !== 'ENOENT') throw error
      for (const needed of [dirname(path), folder]) mkdirSync(needed, { recursive: true, mode: 0o700 })
      removeUnique(temporary)
      replace()
    }
  } catch (error) {
    // `folder` and `path` are on different devices.
    if (systemCode(error) !== 'EXDEV' || folder === dirname(path)) throw error
    replaceFile(path, dirname(path), make)
  } finally {
    // When both names are hard links to the same file, `rename` does nothing and leaves both.
    removeUnique(temporary)
  }
}

/** As `moveTo`. Makes the folder of `to`. */
export async function moveInto(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 })
  await moveTo(from, to)
}

/** Moves a file with a unique name to `to`, also when that is on another device. */
export async function moveTo(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error
    const there = uniqueBeside(to, 'tmp')
    try {
      await copyFile(from, there)
      await rename(there, to)
    } finally {
      removeUnique(there)
    }
    removeUnique(from)
  }
}

/** True for the error of a path that has no file: nothing is there, a folder is in its place, or a link refers to itself. */
export function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP'].includes(systemCode(error) ?? '')
}

/** The time by the clock that dates the files of a folder, in milliseconds since the epoch. A file server's clock may differ from ours. */
export async function diskNow(folder: string): Promise<number> {
  const probe = uniqueBeside(join(folder, 'clock'), 'tmp')
  try {
    writeFileSync(probe, ' ', { mode: 0o600 })
    return statSync(probe).mtimeMs
  } catch {
    // The folder is read-only, so our own clock is used.
    return originals.now()
  } finally {
    removeUnique(probe)
  }
}
