import { type BigIntStats, createReadStream, statSync } from 'node:fs'
import process from 'node:process'
import { type Digest, Hasher } from '../../model/digest.ts'
import { isAbsent } from './atomic-write.ts'

/** What a file system says of a file, enough to see that it is still the one that was verified. */
export interface FileStamp {
  /** Bytes. */
  size: number
  mtimeMs: number
  /** As text: inode numbers may exceed what a JSON number holds. */
  ino: string
}

/**
 * The stamp of the file behind the path, links followed, or undefined when there is none. At once: to hand it to a thread
 * takes ten times as long.
 */
export function stampOf(path: string): FileStamp | undefined {
  const stats = statsOf(path)
  return stats && stampFrom(stats)
}

/**
 * As `stampOf`, and undefined for a file that has another name, outside of the cache perhaps, and can be written by somebody else:
 * that user can change the content and put the time back.
 */
export function ownStampOf(path: string): FileStamp | undefined {
  const stats = statsOf(path)
  return stats && (stats.nlink === 1n || isOursAlone(stats)) ? stampFrom(stats) : undefined
}

/** True for a file that only this user and root can write. On a system without such owners: true. */
export function isOursAlone({ uid, mode }: Pick<BigIntStats, 'uid' | 'mode'>): boolean {
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

/** True when it is the file that was recorded, as far as the file system can tell. */
export function isAsRecorded(stamp: FileStamp | undefined, recorded: FileStamp | undefined): boolean {
  return (
    stamp !== undefined &&
    stamp.size === recorded?.size &&
    stamp.mtimeMs === recorded.mtimeMs &&
    stamp.ino === recorded.ino
  )
}

/**
 * True when the bytes at `path` have the size and the digest that the Hub stated. Reads the whole file; one that changes
 * meanwhile is not believed: what was read already may be what changed.
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
