import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { chmod, type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { type ChunkId, idFrom } from '../../../model/chunk-id.ts'
import { createHash, randomBytes } from '../../../platform/late-crypto.ts'
import { moveTo } from '../atomic-write.ts'
import type { Layout } from '../layout.ts'
import { makeFolder } from '../make-folder.ts'
import { uniqueBeside } from '../own-names.ts'
import { isMarked, removeUnique } from '../remove-own.ts'
import type { Encoded } from './chunk-coder.mjs'

// A pack file: the mark, the encoded chunks, the index, and the trailer. It is never changed after it got its name.
//
//   mark     8 bytes
//   chunks   one after the other
//   index    52 bytes a chunk: sha256 of the chunk, offset, bytes in the file, bytes of the chunk, coding (4 numbers of 4 bytes), and
//            4 bytes for later use
//   trailer  sha256 of the index, where the index begins, and the number of chunks (2 numbers of 4 bytes)

const MARK = Buffer.from('VMCPACK1')
/** Bytes that the index takes for a chunk. */
export const INDEXED_BYTES = 52
const TRAILER_BYTES = 40
const LARGEST_BYTES = 64 << 20
const WRITE_AT_BYTES = 1 << 20

/** Where a chunk is in its pack file. */
export interface StoredChunk {
  id: ChunkId
  offset: number
  /** Bytes in the file. */
  stored: number
  /** Bytes of the chunk. */
  size: number
  /** See `Encoded`. */
  coding: number
}

/** Writes chunks into new pack files. They get their names when they are complete and on the disk. */
export class PackWriter {
  readonly #layout: Layout
  /** Called when a pack file has its name. */
  readonly #onPack: (name: string, chunks: StoredChunk[]) => void
  #open: { path: string; file: FileHandle } | undefined
  #end = 0
  #chunks: StoredChunk[] = []
  #pending: Uint8Array[] = []
  #pendingBytes = 0

  constructor(layout: Layout, onPack: (name: string, chunks: StoredChunk[]) => void = () => undefined) {
    this.#layout = layout
    this.#onPack = onPack
  }

  async add(id: ChunkId, { coding, bytes }: Encoded, size: number): Promise<void> {
    if (this.#end + bytes.length > LARGEST_BYTES) await this.finish()
    if (!this.#open) await this.#begin()
    this.#chunks.push({ id, offset: this.#end, stored: bytes.length, size, coding })
    this.#put(bytes)
    if (this.#pendingBytes >= WRITE_AT_BYTES) await this.#flush()
  }

  /** Completes the pack file that was begun. */
  async finish(): Promise<void> {
    if (!this.#open) return
    const { path, file } = this.#open
    const index = printIndex(this.#chunks)
    const trailer = Buffer.alloc(TRAILER_BYTES)
    createHash('sha256').update(index).digest().copy(trailer)
    trailer.writeUInt32LE(this.#end, 32)
    trailer.writeUInt32LE(this.#chunks.length, 36)
    this.#put(index)
    this.#put(trailer)
    await this.#flush()
    await file.sync()
    await file.close()
    this.#open = undefined
    await chmod(path, 0o444)
    if (!isMarked(this.#layout)) {
      removeUnique(path)
      // A folder that is being removed must not get a new file.
      throw Object.assign(new Error('The cache folder was removed meanwhile'), { code: 'ENOENT' })
    }
    const name = `${randomBytes(12).toString('hex')}.pack`
    makeFolder(this.#layout, this.#layout.packs)
    await moveTo(path, join(this.#layout.packs, name))
    this.#onPack(name, this.#chunks)
    this.#chunks = []
    this.#end = 0
  }

  /** Ends without the pack file that was begun. Does nothing after `finish`. */
  async abandon(): Promise<void> {
    if (!this.#open) return
    await this.#open.file.close().catch(() => undefined)
    removeUnique(this.#open.path)
    this.#open = undefined
  }

  async #begin(): Promise<void> {
    makeFolder(this.#layout, this.#layout.incoming)
    const path = uniqueBeside(join(this.#layout.incoming, 'pack'), 'tmp')
    this.#open = { path, file: await open(path, 'wx', 0o600) }
    this.#put(MARK)
  }

  #put(bytes: Uint8Array): void {
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.length
    this.#end += bytes.length
  }

  async #flush(): Promise<void> {
    const bytes = this.#pendingBytes
    const chunks = this.#pending
    this.#pending = []
    this.#pendingBytes = 0
    const written = (await this.#open?.file.writev(chunks))?.bytesWritten ?? 0
    if (written === bytes) return
    const message = `Only ${written} of ${bytes} bytes could be written: is the disk full?`
    throw Object.assign(new Error(message), { code: 'ENOSPC' })
  }
}

function printIndex(chunks: readonly StoredChunk[]): Buffer {
  const index = Buffer.alloc(chunks.length * INDEXED_BYTES)
  for (const [at, { id, offset, stored, size, coding }] of chunks.entries()) {
    const start = at * INDEXED_BYTES
    index.write(id, start, 'latin1')
    for (const [place, number] of [offset, stored, size, coding].entries())
      index.writeUInt32LE(number, start + 32 + 4 * place)
  }
  return index
}

/** Reads the index of a pack file. Undefined for a file that is damaged, or of a newer version. Throws the errors of the disk. */
export function readIndex(path: string): StoredChunk[] | undefined {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const trailer = readAt(file, size - TRAILER_BYTES, TRAILER_BYTES)
    if (!trailer || !readAt(file, 0, MARK.length)?.equals(MARK)) return undefined
    const [start, count] = [trailer.readUInt32LE(32), trailer.readUInt32LE(36)]
    if (start + count * INDEXED_BYTES + TRAILER_BYTES !== size) return undefined
    const index = readAt(file, start, count * INDEXED_BYTES)
    if (!index || !createHash('sha256').update(index).digest().equals(trailer.subarray(0, 32))) return undefined
    return Array.from({ length: count }, (_, at) => parseIndexed(index.subarray(at * INDEXED_BYTES)))
  } finally {
    closeSync(file)
  }
}

function parseIndexed(bytes: Buffer): StoredChunk {
  return {
    id: idFrom(bytes.subarray(0, 32)),
    offset: bytes.readUInt32LE(32),
    stored: bytes.readUInt32LE(36),
    size: bytes.readUInt32LE(40),
    coding: bytes.readUInt32LE(44),
  }
}

function readAt(file: number, from: number, length: number): Buffer | undefined {
  if (from < 0) return undefined
  const bytes = Buffer.alloc(length)
  return readSync(file, bytes, 0, length, from) === length ? bytes : undefined
}
