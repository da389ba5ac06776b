import { PassThrough, type Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { ModelCacheError } from '../../model/errors.ts'

/** How an archive is compressed. */
export type Compression = 'none' | 'gzip' | 'zstd'

const CHUNK_BYTES = 1 << 18
// Of other programs. An archive with such a name would mislead the programs and the people that open it.
const FOREIGN = /\.(zip|7z|rar|xz|txz|bz2|tbz2?|br|lz4?|lzma|z)$/i

// Node.js has zstd from 22.15 and 23.8 on.
type MakeTransform = (options?: object) => Transform

function zstdOf(name: 'createZstdCompress' | 'createZstdDecompress'): MakeTransform | undefined {
  const make: unknown = Reflect.get(zlib, name)
  return typeof make === 'function' ? (options) => Reflect.apply(make, zlib, [options]) : undefined
}

/** True if this Node.js reads and writes zstd. */
export function hasZstd(): boolean {
  return zstdOf('createZstdDecompress') !== undefined
}

/** The compression that a file's name asks for: by its ending, else the best one that this Node.js has. Throws `INVALID_OPTION`. */
export function compressionFor(file: string): Compression {
  if (/\.tar$/i.test(file)) return 'none'
  if (/\.(gz|tgz)$/i.test(file)) return 'gzip'
  if (FOREIGN.test(file)) throw unsuitable(file, 'That ending belongs to a format that is not written.')
  const asksForZstd = /\.(zst|tzst)$/i.test(file)
  if (asksForZstd && !hasZstd()) throw unsuitable(file, 'This Node.js has no zstd: it came with 22.15 and 23.8.')
  return hasZstd() ? 'zstd' : 'gzip'
}

function unsuitable(file: string, reason: string): ModelCacheError {
  return new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `Archive ${file}`,
    reason,
    nextStep: `Name it .tar, .tar.gz${hasZstd() ? ' or .tar.zst' : ''}. Nothing was written.`,
  })
}

/** A stream that compresses. Undefined for `none`. Weights compress badly, so the fastest level is taken. */
export function compressor(compression: Compression): Transform | undefined {
  if (compression === 'none') return undefined
  if (compression === 'gzip') return zlib.createGzip({ level: 1, chunkSize: CHUNK_BYTES })
  return zstdOf('createZstdCompress')?.({ chunkSize: CHUNK_BYTES })
}

/** The compression of a stream, by its first bytes. */
export function compressionOf(start: Buffer): Compression {
  if (start.subarray(0, 3).equals(Buffer.from([0x1f, 0x8b, 0x08]))) return 'gzip'
  return start.subarray(0, 4).equals(Buffer.from([0x28, 0xb5, 0x2f, 0xfd])) ? 'zstd' : 'none'
}

/** A stream that decompresses. Undefined if this Node.js can't. */
export function decompressor(compression: Compression): Transform | undefined {
  if (compression === 'none') return new PassThrough()
  if (compression === 'gzip') return zlib.createGunzip({ chunkSize: CHUNK_BYTES })
  return zstdOf('createZstdDecompress')?.({ chunkSize: CHUNK_BYTES })
}
