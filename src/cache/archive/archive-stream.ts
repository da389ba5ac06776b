import { addAbortSignal, pipeline, Readable } from 'node:stream'
import { isSystemError, messageOf, systemCode } from '../../model/errors.ts'
import { compressionOf, decompressor } from './compression.ts'
import { isOutOfProportion, LARGEST_RATIO } from './ratio.ts'
import { NAME_ONE, refused } from './refusal.ts'

const TAR_MAGIC_AT = 257
const TAR_MAGIC = 'ustar'

/**
 * The bytes of an archive, decompressed. `bytes` is the size of the source, if it is known. Throws `ARCHIVE_REFUSED` for damaged or
 * suspicious compression, and for what is no archive.
 */
export async function* archiveStream(
  source: Readable,
  name: string,
  { bytes: sourceBytes, signal }: { bytes?: number; signal?: AbortSignal },
): AsyncGenerator<Buffer> {
  const input = source[Symbol.asyncIterator]()
  try {
    const start = await firstBytes(input, TAR_MAGIC_AT + TAR_MAGIC.length)
    const compression = compressionOf(start)
    if (compression === 'none' && !hasTarMagic(start)) throw notAnArchive(name, start.length)
    const output = decompressor(compression)
    if (!output) throw withoutZstd(name)
    let compressed = 0
    let decompressed = 0
    const counted = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of joined(start, input)) {
        compressed += chunk.length
        yield chunk
      }
    }
    // An error reaches `output`, whose reader throws it.
    if (signal) addAbortSignal(signal, output)
    pipeline(Readable.from(counted(), { objectMode: false }), output, () => undefined)
    for await (const chunk of output) {
      decompressed += chunk.length
      if (isOutOfProportion(decompressed, sourceBytes ?? compressed)) throw bomb(name)
      yield chunk
    }
  } catch (error) {
    throw explained(error, name)
  } finally {
    source.destroy()
  }
}

/** At least `size` bytes, unless the stream has fewer. */
async function firstBytes(input: AsyncIterator<unknown>, size: number): Promise<Buffer> {
  let start = Buffer.alloc(0)
  while (start.length < size) {
    const { done, value } = await input.next()
    if (done) break
    start = Buffer.concat([start, toBuffer(value)])
  }
  return start
}

async function* joined(start: Buffer, rest: AsyncIterator<unknown>): AsyncGenerator<Buffer> {
  yield start
  for (;;) {
    const { done, value } = await rest.next()
    if (done) return
    yield toBuffer(value)
  }
}

function toBuffer(chunk: unknown): Buffer {
  return chunk instanceof Uint8Array
    ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    : Buffer.from(`${chunk}`)
}

function hasTarMagic(start: Buffer): boolean {
  return start.subarray(TAR_MAGIC_AT, TAR_MAGIC_AT + TAR_MAGIC.length).toString('latin1') === TAR_MAGIC
}

function explained(error: unknown, name: string): unknown {
  const code = systemCode(error) ?? ''
  if (code === 'Z_BUF_ERROR')
    return refused(name, 'It is cut off: its compressed data ends too early.', undefined, error)
  if (/^(Z_|ZSTD_|ERR_ZLIB|ERR_ZSTD)/.test(code))
    return refused(name, 'Its compressed data is damaged.', undefined, error)
  return isSystemError(error) ? refused(name, `It can't be read: ${messageOf(error)}.`, NAME_ONE, error) : error
}

function notAnArchive(name: string, bytes: number): Error {
  return refused(
    name,
    bytes === 0 ? 'It is empty.' : 'It is no archive: it begins neither as a tar nor as gzip or zstd.',
    NAME_ONE,
  )
}

function withoutZstd(name: string): Error {
  return refused(
    name,
    `It is compressed with zstd, which this Node.js (${process.version}) can't read: it came with 22.15 and 23.8.`,
    'Decompress it first: `zstd -d < FILE | npx vitest-model-cache import -`. Or export it as .tar.gz or .tar, or take a newer Node.js.',
  )
}

function bomb(name: string): Error {
  return refused(
    name,
    `It grows to more than ${LARGEST_RATIO} times its size when it is decompressed. No model does that.`,
    'Do not use it. If you trust it, decompress it yourself and import the .tar.',
  )
}
