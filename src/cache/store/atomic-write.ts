import { mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { copyFile, mkdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { systemCode } from '../../model/errors.ts'
import { originals } from '../../platform/originals.ts'
import { uniqueBeside } from './own-names.ts'
import { removeUnique } from './remove-own.ts'

// Small files are read and written at once, here and beside it: that takes some 20 µs for each step, where to wait for it takes ten
// times as long.

/**
 * Writes a file so that a reader sees the old content or the new one, and a kill leaves one of them. What a kill leaves
 * of the new one lies in `folder`: not beside the file where others would take it for one of theirs.
 */
export function writeAtomically(path: string, content: string, folder = dirname(path)): void {
  replaceFile(path, folder, (temporary) => writeFileSync(temporary, content, { mode: 0o600 }))
}

/** Has `make` make a file under a temporary name in `folder`, and moves it to `path`. */
export function replaceFile(path: string, folder: string, make: (temporary: string) => void): void {
  // Short: the name of the file itself may be as long as names can be.
  const temporary = uniqueBeside(join(folder, 'new'), 'tmp')
  const replace = () => {
    make(temporary)
    renameSync(temporary, path)
  }
  try {
    try {
      replace()
    } catch (error) {
      // The folders are nearly always there.
      if (systemCode(error) !== 'ENOENT') throw error
      for (const needed of [dirname(path), folder]) mkdirSync(needed, { recursive: true, mode: 0o700 })
      removeUnique(temporary)
      replace()
    }
  } catch (error) {
    // Part of the cache lies on another device.
    if (systemCode(error) !== 'EXDEV' || folder === dirname(path)) throw error
    replaceFile(path, dirname(path), make)
  } finally {
    // Of two names of one file a rename leaves both.
    removeUnique(temporary)
  }
}

/** Moves a file that has a unique name to its place, also when a part of the cache folder lies on another device. */
export async function moveInto(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 })
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

/** True when there is no such file: nothing, a folder in its place, or a link that leads to itself. */
export function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP'].includes(systemCode(error) ?? '')
}

/** Milliseconds since the epoch, by the clock that dates the files of a folder: a file server's may differ from ours. */
export async function diskNow(folder: string): Promise<number> {
  const probe = uniqueBeside(join(folder, 'clock'), 'tmp')
  try {
    writeFileSync(probe, ' ', { mode: 0o600 })
    return statSync(probe).mtimeMs
  } catch {
    // A folder that can only be read: our own clock has to do.
    return originals.now()
  } finally {
    removeUnique(probe)
  }
}
