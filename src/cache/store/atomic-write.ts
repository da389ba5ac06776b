import { randomBytes } from 'node:crypto'
import { mkdirSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { copyFile, mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { systemCode } from '../../model/errors.ts'
import { originals } from '../../platform/originals.ts'

// Small files are read and written at once, here and beside it: that takes some 20 µs for each step, where to wait for it takes ten
// times as long.

/** A name beside `path` that no other writer uses. */
export function uniqueBeside(path: string, suffix: string): string {
  return `${path}.${originals.pid}-${randomBytes(6).toString('hex')}.${suffix}`
}

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
      unlinkIfThere(temporary)
      replace()
    }
  } catch (error) {
    // Part of the cache lies on another device.
    if (systemCode(error) !== 'EXDEV' || folder === dirname(path)) throw error
    replaceFile(path, dirname(path), make)
  } finally {
    // Of two names of one file a rename leaves both.
    unlinkIfThere(temporary)
  }
}

/** As `rm` with `force` does, for which Node.js loads what removes folders. */
export function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!isAbsent(error)) throw error
  }
}

/** Moves a file to its place, also when a part of the cache folder lies on another device. */
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
      await rm(there, { force: true })
    }
    await rm(from, { force: true })
  }
}

/** True when there is no such file: nothing, or a folder in its place. */
export function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCode(error) ?? '')
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
    unlinkIfThere(probe)
  }
}
