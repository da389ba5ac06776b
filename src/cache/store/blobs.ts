import { type BigIntStats, createReadStream, statSync } from 'node:fs'
import process from 'node:process'
import { type Digest, Hasher } from '../../model/digest.ts'
import { isAbsent } from './atomic-write.ts'

/** The file system's data about a file, from which one can see whether it is still the file that was verified. */
export interface FileStamp {
  /** Bytes. */
  size: number
  mtimeMs: number
  /** The inode number, as text because it may be larger than a JSON number can hold exactly. */
  ino: string
}

/**
 * The stamp of the file at `path`, with links followed. Undefined when there is no file. Synchronous, because an asynchronous
 * call takes ten times as long.
 */
export function stampOf(path: string): FileStamp | undefined {
  const stats = statsOf(path)
  return stats && stampFrom(stats)
}

/**
 * As `stampOf`, but also undefined for a file that has a second hard link, perhaps outside of the cache, and that another user can
 * write. That user can change the content and set the old time again.
 */
export function ownStampOf(path: string): FileStamp | undefined {
  const stats = statsOf(path)
  return stats && (stats.nlink === 1n || isWritableOnlyByUs(stats)) ? stampFrom(stats) : undefined
}

/** True for a file that only this user and root can write. Always true on a system whose files have no owners. */
export function isWritableOnlyByUs({ uid, mode }: Pick<BigIntStats, 'uid' | 'mode'>): boolean {
  const user = process.geteuid?.()
  return user === undefined || ([BigInt(user), 0n].includes(uid) && (mode & 0o022n) === 0n)
}

function statsOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false })
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

function stampFrom({ size, mtimeNs, ino }: BigIntStats): FileStamp {
  return { size: Number(size), mtimeMs: Number(mtimeNs / 1000n) / 1000, ino: ino.toString() }
}

/** True when size, time and inode of a file are those that were recorded. */
export function isAsRecorded(stamp: FileStamp | undefined, recorded: FileStamp | undefined): boolean {
  return (
    stamp !== undefined &&
    stamp.size === recorded?.size &&
    stamp.mtimeMs === recorded.mtimeMs &&
    stamp.ino === recorded.ino
  )
}

/**
 * True when the file at `path` has this digest and this size in bytes. Reads the whole file. False when the file changes while
 * it is read, because the part that was read already may have changed.
 */
export async function matchesDigest(
  path: string,
  digest: Digest,
  size: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const before = stampOf(path)
  if (before?.size !== size) return false
  const hasher = new Hasher(digest, size)
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    signal?.throwIfAborted()
    hasher.update(chunk)
  }
  return hasher.digest() === digest && isAsRecorded(stampOf(path), before)
}
