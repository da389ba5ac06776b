import { type Digest, Hasher } from '../../../model/digest.ts'
import { isAbsent } from '../atomic-write.ts'
import type { Layout } from '../layout.ts'
import { ChunkIndex, type FoundChunk } from './chunk-index.ts'
import type { CoderPool } from './coder-pool.ts'
import { type Recipe, readRecipe } from './recipe.ts'

/** A packed blob can't be read: a part of it is missing or damaged. */
export class UnreadableBlob extends Error {
  override readonly name = 'UnreadableBlob'
}

// A task of a thread: small enough that all threads have work, and large enough that handing it over costs little.
const TASK_BYTES = 1 << 20

/**
 * The bytes of a packed blob, in order. Chunks are read and decoded ahead, in threads. The caller checks the digest. Throws
 * `UnreadableBlob`.
 */
export async function* readBlob(layout: Layout, digest: Digest, pool: CoderPool): AsyncGenerator<Uint8Array> {
  const recipe = readRecipe(layout, digest)
  if (!recipe) throw new UnreadableBlob('The list of its chunks is missing or damaged')
  const ahead: Promise<Uint8Array>[] = []
  try {
    for (const chunks of tasksOf(layout, recipe)) {
      ahead.push(decode(layout, pool, chunks))
      // A failure is thrown when its turn comes.
      ahead.at(-1)?.catch(() => undefined)
      const first = ahead.length >= pool.atOnce ? ahead.shift() : undefined
      if (first) yield await first
    }
    for (let next = ahead.shift(); next; next = ahead.shift()) yield await next
  } finally {
    await Promise.allSettled(ahead)
  }
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

function* tasksOf(layout: Layout, { chunks }: Recipe): Generator<FoundChunk[]> {
  const index = new ChunkIndex(layout)
  let task: FoundChunk[] = []
  let bytes = 0
  for (const id of chunks) {
    const chunk = index.find(id)
    if (!chunk) throw new UnreadableBlob('A chunk of it is in no pack file')
    if (task[0] && (task[0].path !== chunk.path || bytes + chunk.size > TASK_BYTES)) {
      yield task
      task = []
      bytes = 0
    }
    task.push(chunk)
    bytes += chunk.size
  }
  if (task.length > 0) yield task
}

async function decode(layout: Layout, pool: CoderPool, chunks: FoundChunk[]): Promise<Uint8Array> {
  const path = chunks[0]?.path ?? ''
  try {
    return await pool.decode({ path, chunks: chunks.map(({ id: _, path: __, ...chunk }) => chunk) })
  } catch (error) {
    if (isAbsent(error)) return decodeMoved(layout, pool, chunks)
    throw new UnreadableBlob(
      `${path} is damaged or unreadable: ${error instanceof Object ? Reflect.get(error, 'message') : error}`,
    )
  }
}

/** Another process has moved the chunks to other pack files, and removed this one. */
async function decodeMoved(layout: Layout, pool: CoderPool, chunks: FoundChunk[]): Promise<Uint8Array> {
  const index = new ChunkIndex(layout)
  const parts: Uint8Array[] = []
  for (const { id } of chunks) {
    const chunk = index.find(id)
    if (!chunk) throw new UnreadableBlob('A chunk of it is in no pack file')
    parts.push(await pool.decode({ path: chunk.path, chunks: [chunk] }))
  }
  return Buffer.concat(parts)
}
