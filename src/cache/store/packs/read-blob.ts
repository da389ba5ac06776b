import type { ChunkId } from '../../../model/chunk-id.ts'
import { type Digest, Hasher } from '../../../model/digest.ts'
import { messageOf } from '../../../model/errors.ts'
import type { Layout } from '../layout.ts'
import { ChunkIndex, type FoundChunk } from './chunk-index.ts'
import type { CoderPool } from './coder-pool.ts'
import { readRecipe } from './recipe.ts'

/** A packed blob can't be read: a part of it is missing or damaged. */
export class UnreadableBlob extends Error {
  override readonly name = 'UnreadableBlob'
}

// A task of a thread: small enough that all threads have work, and large enough that handing it over costs little.
const TASK_BYTES = 1 << 20
/** The most bytes of a task, because a chunk has at most 256 kB. */
const MOST_BYTES = TASK_BYTES + (256 << 10)

type Memory = Uint8Array<ArrayBuffer>

/** Chunks of at least `TASK_BYTES` together, unless they are the last ones. */
interface Task {
  chunks: FoundChunk[]
  /** Bytes of the decoded chunks. */
  size: number
}

/** The bytes of a packed blob, in order, as of `readChunks`. The caller checks the digest. Throws `UnreadableBlob`. */
export async function* readBlob(layout: Layout, digest: Digest, pool: CoderPool): AsyncGenerator<Uint8Array> {
  const recipe = readRecipe(layout, digest)
  if (!recipe) throw new UnreadableBlob('The list of its chunks is missing or damaged')
  yield* readChunks({ layout, index: new ChunkIndex(layout), pool }, recipe.chunks)
}

/**
 * The bytes of chunks, in order. They are read and decoded ahead, in threads. All but the last bytes are at least 1 MB. What was yielded is
 * overwritten once the next two were asked for. Throws `UnreadableBlob`.
 */
export async function* readChunks(
  { layout, index, pool }: { layout: Layout; index: ChunkIndex; pool: CoderPool },
  ids: readonly ChunkId[],
): AsyncGenerator<Uint8Array> {
  const ahead: Promise<Memory>[] = []
  // Memory is used again: new memory costs half as much as decoding.
  const unused: ArrayBuffer[] = []
  let before: Memory | undefined
  try {
    for (const { chunks, size } of tasksOf(index, ids)) {
      const decoded = decode(layout, pool, chunks, memoryOf(size, unused.pop()))
      // A failure is thrown when its turn comes.
      decoded.catch(() => undefined)
      ahead.push(decoded)
      const next = ahead.length < pool.atOnce ? undefined : await ahead.shift()
      if (!next) continue
      yield next
      if (before) unused.push(before.buffer)
      before = next
    }
    for (let next = ahead.shift(); next; next = ahead.shift()) yield await next
  } finally {
    await Promise.allSettled(ahead)
  }
}

function memoryOf(size: number, old: ArrayBuffer | undefined): Memory {
  if (old && old.byteLength >= size) return new Uint8Array(old, 0, size)
  return new Uint8Array(new ArrayBuffer(size < TASK_BYTES ? size : Math.max(size, MOST_BYTES)), 0, size)
}

/** Undefined when the packed blob has the digest that its name states, else what is wrong with it. */
export async function flawOfPacked(
  layout: Layout,
  { digest, size }: { digest: Digest; size: number },
  pool: CoderPool,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const hasher = new Hasher(digest, size)
  try {
    for await (const bytes of readBlob(layout, digest, pool)) {
      signal?.throwIfAborted()
      hasher.update(bytes)
    }
  } catch (error) {
    if (error instanceof UnreadableBlob) return error.message
    throw error
  }
  return hasher.digest() === digest ? undefined : 'It has another digest'
}

function* tasksOf(index: ChunkIndex, ids: readonly ChunkId[]): Generator<Task> {
  let task: Task = { chunks: [], size: 0 }
  for (const id of ids) {
    const chunk = foundIn(index, id)
    task.chunks.push(chunk)
    task.size += chunk.size
    if (task.size < TASK_BYTES) continue
    yield task
    task = { chunks: [], size: 0 }
  }
  if (task.chunks.length > 0) yield task
}

function foundIn(index: ChunkIndex, id: ChunkId): FoundChunk {
  const chunk = index.find(id)
  if (!chunk) throw new UnreadableBlob('A chunk of it is in no pack file')
  return chunk
}

async function decode(layout: Layout, pool: CoderPool, chunks: FoundChunk[], memory: Memory): Promise<Memory> {
  const size = memory.length
  try {
    const decoded = await pool.decode(chunks.map(withoutId), memory)
    if (decoded) return decoded
    // Another process has moved chunks to other pack files, and removed theirs.
    const index = new ChunkIndex(layout)
    const moved = chunks.map(({ id }) => withoutId(foundIn(index, id)))
    const found = await pool.decode(moved, memoryOf(size, undefined))
    if (found) return found
  } catch (error) {
    if (error instanceof UnreadableBlob) throw error
    throw new UnreadableBlob(`A pack file is damaged or unreadable: ${messageOf(error)}`)
  }
  throw new UnreadableBlob('A pack file of it is missing')
}

function withoutId({ id: _, ...chunk }: FoundChunk): Omit<FoundChunk, 'id'> {
  return chunk
}
