import { createWriteStream, existsSync, linkSync, lstatSync, renameSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Writable } from 'node:stream'
import { ModelCacheError, systemCode } from '../../model/errors.ts'
import { uniqueBeside } from '../store/own-names.ts'
import { removeUnique } from '../store/remove-own.ts'

const WRITE_BYTES = 1 << 20

/** Throws `INVALID_OPTION` for a name that is taken. With `force` a file may be replaced, but no folder, link or device. */
export function checkNewFile(path: string, { force }: { force: boolean }): void {
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (there && !there.isFile()) throw taken(path, 'It is no plain file.', 'Name another file.')
  if (there && !force) throw exists(path)
}

/**
 * Writes a file of the user: under another name beside it, which becomes the file's name when all is on the disk. A file with that name
 * is replaced only with `force`. The caller has called `checkNewFile`.
 */
export async function writeNewFile(
  path: string,
  write: (out: Writable) => Promise<void>,
  { force }: { force: boolean },
): Promise<void> {
  const target = resolve(path)
  const temporary = uniqueBeside(target, 'tmp')
  try {
    // `flush` waits for the disk.
    await write(createWriteStream(temporary, { flags: 'wx', highWaterMark: WRITE_BYTES, flush: true }))
    if (force || !takeName(temporary, target, path)) renameSync(temporary, target)
  } finally {
    removeUnique(temporary)
  }
}

/** Gives the file its name, unless another program has made a file of that name meanwhile. False where the disk has no hard links. */
function takeName(temporary: string, target: string, path: string): boolean {
  try {
    linkSync(temporary, target)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST' || existsSync(target)) throw exists(path)
    return false
  }
}

function exists(path: string): ModelCacheError {
  return taken(path, 'There is a file with that name.', 'Name another file, or add `--force` to replace it.')
}

function taken(path: string, reason: string, nextStep: string): ModelCacheError {
  const asked = `Archive ${path}`
  return new ModelCacheError({ code: 'INVALID_OPTION', asked, reason, nextStep: `${nextStep} Nothing was written.` })
}
