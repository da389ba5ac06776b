import { readFileSync, statSync } from 'node:fs'
import { ModelCacheError, messageOf, systemCode } from '../model/errors.ts'
import { broken, type LockFile, parseLockFile } from '../model/lock-file.ts'

/** Bytes. It is room for some 500,000 files. */
const LARGEST = 64 * 2 ** 20

interface Known {
  stamp: string
  result: LockFile | ModelCacheError
}

const known = new Map<string, Known>()

/**
 * Reads a lock file. Undefined if there is none. It is parsed again only after a change, so a lookup costs one `stat`. Throws
 * `LOCK_BROKEN` for a file that can't be read or used.
 */
export function readLockFile(path: string): LockFile | undefined {
  const stamp = stampOf(path)
  if (stamp === undefined) return undefined
  const before = known.get(path)
  const result = before?.stamp === stamp ? before.result : parsed(path)
  known.set(path, { stamp, result })
  if (result instanceof ModelCacheError) throw result
  return result
}

/** True if there is such a file, also if it is broken. */
export function hasLockFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined
  } catch {
    return false
  }
}

function stampOf(path: string): string | undefined {
  try {
    const stats = statSync(path, { throwIfNoEntry: false })
    if (!stats) return undefined
    // Reading from a pipe could wait forever.
    if (!stats.isFile()) throw broken(path, 'It is not a file.')
    if (stats.size > LARGEST) throw broken(path, `It is larger than ${LARGEST} bytes.`)
    return `${stats.size} ${stats.mtimeMs} ${stats.ino}`
  } catch (error) {
    if (systemCode(error) === 'ENOTDIR') return undefined
    throw error instanceof ModelCacheError ? error : broken(path, `It can't be read: ${messageOf(error)}.`, error)
  }
}

function parsed(path: string): LockFile | ModelCacheError {
  try {
    return parseLockFile(readFileSync(path, 'utf8'), path)
  } catch (error) {
    return error instanceof ModelCacheError ? error : broken(path, `It can't be read: ${messageOf(error)}.`, error)
  }
}
