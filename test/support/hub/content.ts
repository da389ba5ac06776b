import { createHash } from 'node:crypto'
import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs'

/** A file of a test: text, bytes, or a file on disk, which is streamed and never fully in memory. */
export type FileSource = string | Uint8Array | { path: string }

/** A file's content, in memory or on disk. `size` is in bytes. */
export type Content =
  | { readonly size: number; readonly bytes: Uint8Array }
  | { readonly size: number; readonly diskPath: string; readonly modified: number }

export function contentOf(source: FileSource): Content {
  if (typeof source === 'string') return bytesContent(Buffer.from(source))
  if (source instanceof Uint8Array) return bytesContent(Uint8Array.from(source))
  const { size, mtimeMs } = statSync(source.path)
  return { size, diskPath: source.path, modified: mtimeMs }
}

export function bytesContent(bytes: Uint8Array): Content {
  return { size: bytes.byteLength, bytes }
}

/** The bytes from `start` up to but not including `end`. */
export async function* readContent(content: Content, start: number, end: number): AsyncGenerator<Uint8Array> {
  if (start >= end) return
  if ('bytes' in content) {
    yield content.bytes.subarray(start, end)
    return
  }
  const file = createReadStream(content.diskPath, { start, end: end - 1, highWaterMark: readSize })
  for await (const chunk of file) yield chunk
}

/** The git object id of a file: the sha1 of a header and the bytes. */
export function gitBlobDigest(content: Content): string {
  return digest(content, 'sha1', `blob ${content.size}\0`)
}

export function sha256Digest(content: Content): string {
  return digest(content, 'sha256', '')
}

// Measured over loopback: 64 kB is slower by two thirds, and larger reads are not faster.
const readSize = 256 * 1024

// Shared by all Hubs of the process, because suites serve the same large model many times.
const diskDigests = new Map<string, string>()

function digest(content: Content, algorithm: 'sha1' | 'sha256', header: string): string {
  if ('bytes' in content) return createHash(algorithm).update(header).update(content.bytes).digest('hex')
  const key = [algorithm, content.diskPath, content.size, content.modified].join('\0')
  const known = diskDigests.get(key)
  if (known !== undefined) return known
  const fresh = digestDiskFile(content.diskPath, algorithm, header)
  diskDigests.set(key, fresh)
  return fresh
}

/** Hashes a file in pieces. Synchronous, so that `addRepo` and `addCommit` can return a commit instead of a promise. */
function digestDiskFile(path: string, algorithm: 'sha1' | 'sha256', header: string): string {
  const hash = createHash(algorithm).update(header)
  const piece = Buffer.allocUnsafe(1024 * 1024)
  const file = openSync(path, 'r')
  try {
    for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) hash.update(piece.subarray(0, read))
  } finally {
    closeSync(file)
  }
  return hash.digest('hex')
}
