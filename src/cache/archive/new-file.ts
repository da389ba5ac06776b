import { createWriteStream, existsSync, linkSync, renameSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Writable } from 'node:stream'
import { ModelCacheError, systemCode } from '../../model/errors.ts'
import { uniqueBeside } from '../store/own-names.ts'
import { removeUnique } from '../store/remove-own.ts'

const WRITE_BYTES = 1 << 20

/**
 * Writes a file of the user: under another name beside it, which becomes the file's name when all is on the disk. A file with that name
 * is replaced only with `force`.
 */
export async function writeNewFile(
  path: string,
  write: (out: Writable) => Promise<void>,
  { force }: { force: boolean },
): Promise<void> {
  const target = resolve(path)
  if (!force && existsSync(target)) throw exists(path)
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
  return new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `Archive ${path}`,
    reason: 'There is a file with that name.',
    nextStep: 'Name another file, or add `--force` to replace it. Nothing was written.',
  })
}
