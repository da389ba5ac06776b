import { createReadStream } from 'node:fs'
import { type ChunkId, chunkId } from '../../../model/chunk-id.ts'
import { type Digest, Hasher } from '../../../model/digest.ts'
import { untilAborted } from '../../../platform/until-aborted.ts'
import type { Layout } from '../layout.ts'
import type { Encoded } from './chunk-coder.mjs'
import type { ChunkIndex } from './chunk-index.ts'
import type { CoderPool } from './coder-pool.ts'
import { cutPieces } from './cut-pieces.ts'
import type { PackWriter } from './pack-file.ts'
import type { Recipe } from './recipe.ts'

// Chunks are copied to a thread with all the bytes that were read with them.
const READ_BYTES = 1 << 20
const TASK_BYTES = 1 << 20

/** The pack files that are being written. */
export interface Packing {
  layout: Layout
  index: ChunkIndex
  /** The chunks that `writer` got and that have no pack file yet. */
  fresh: Set<ChunkId>
  pool: CoderPool
  /** Undefined: nothing is written. */
  writer: PackWriter | undefined
  isCompressed: boolean
  signal?: AbortSignal
}

export interface Written {
  recipe: Recipe
  /** Chunks that no pack file had, and the bytes that they take. */
  addedChunks: number
  addedBytes: number
}

/** A chunk that no pack file has. */
interface Fresh {
  id: ChunkId
  bytes: Uint8Array
}

/**
 * Cuts a file into chunks, and writes those that no pack file has yet. Undefined when the file has another digest or size than stated:
 * then the chunks that were written are of no use. When `signal` aborts, it ends at once, and leaves threads at work.
 */
export async function writeBlob(
  packing: Packing,
  path: string,
  { digest, size }: { digest: Digest; size: number },
): Promise<Written | undefined> {
  const hasher = new Hasher(digest, size)
  const written: Written = { recipe: { size: 0, chunks: [] }, addedChunks: 0, addedBytes: 0 }
  const queue = new EncodeQueue(packing, (bytes) => {
    written.addedChunks++
    written.addedBytes += bytes
  })
  for await (const chunks of cutPieces(createReadStream(path, { highWaterMark: READ_BYTES }))) {
    packing.signal?.throwIfAborted()
    for (const bytes of chunks) {
      hasher.update(bytes)
      const id = chunkId(bytes)
      written.recipe.size += bytes.length
      written.recipe.chunks.push(id)
      if (!packing.fresh.has(id) && !packing.index.find(id)) await queue.add({ id, bytes })
    }
  }
  await queue.end()
  return written.recipe.size === size && hasher.digest() === digest ? written : undefined
}

/** Encodes chunks in threads, and writes them in their order. */
class EncodeQueue {
  readonly #packing: Packing
  readonly #onBytes: (bytes: number) => void
  #task: Fresh[] = []
  #taskBytes = 0
  readonly #ahead: { chunks: Fresh[]; encoded: Promise<Encoded[]> }[] = []

  constructor(packing: Packing, onBytes: (bytes: number) => void) {
    this.#packing = packing
    this.#onBytes = onBytes
  }

  async add(chunk: Fresh): Promise<void> {
    this.#packing.fresh.add(chunk.id)
    this.#task.push(chunk)
    this.#taskBytes += chunk.bytes.length
    if (this.#taskBytes >= TASK_BYTES) await this.#start()
  }

  async end(): Promise<void> {
    await this.#start()
    while (this.#ahead.length > 0) await this.#writeFirst()
  }

  async #start(): Promise<void> {
    const chunks = this.#task
    this.#task = []
    this.#taskBytes = 0
    if (chunks.length === 0) return
    const encoded = this.#packing.isCompressed
      ? this.#packing.pool.encode(chunks.map(({ bytes }) => bytes))
      : Promise.resolve(chunks.map(({ bytes }) => ({ coding: 0, bytes })))
    // A failure is thrown when its turn comes.
    encoded.catch(() => undefined)
    this.#ahead.push({ chunks, encoded })
    if (this.#ahead.length >= this.#packing.pool.atOnce) await this.#writeFirst()
  }

  async #writeFirst(): Promise<void> {
    const first = this.#ahead.shift()
    if (!first) return
    const { signal, writer } = this.#packing
    const encoded = await (signal ? untilAborted(signal, first.encoded) : first.encoded)
    for (const [at, { id, bytes }] of first.chunks.entries()) {
      const chunk = encoded[at]
      if (!chunk) throw new Error('A chunk was not encoded')
      this.#onBytes(chunk.bytes.length)
      await writer?.add(id, chunk, bytes.length)
    }
  }
}
