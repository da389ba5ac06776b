import { createReadStream } from 'node:fs'
import type { Worker } from 'node:worker_threads'
import { type ChunkId, chunkId, idFrom } from '../../../model/chunk-id.ts'
import { blobNameOf, type Digest, Hasher, hashRecipe } from '../../../model/digest.ts'
import { originals } from '../../../platform/originals.ts'
import { untilAborted } from '../../../platform/until-aborted.ts'
import { cutPieces } from './cut-pieces.ts'
import type { Cut, Task } from './cutter-thread.mjs'
import { startThread } from './start-thread.ts'

// Starting a thread takes as long as cutting some 30 MB.
const WORTH_A_THREAD_BYTES = 32 << 20
const READ_BYTES = 1 << 20

/** A chunk of a file. */
export interface FileChunk {
  id: ChunkId
  /** Bytes. */
  size: number
}

/** What is stated of bytes. A digest that is not given is not computed, which takes a third of the time. */
interface Stated {
  digest?: Digest
  size: number
}

/**
 * The chunks of a file, in order. Undefined when the file has another size or digest than stated. Throws the errors of the disk, and the
 * reason of the signal.
 */
export async function cutFile(
  { path, digest, size }: Stated & { path: string },
  signal = new originals.AbortController().signal,
): Promise<FileChunk[] | undefined> {
  signal.throwIfAborted()
  const task = { path, ...(digest && { whole: hashRecipe(digest, size) }) }
  const cut = size < WORTH_A_THREAD_BYTES ? undefined : await cutInThread(task, signal)
  if (!cut) return cutBytes(createReadStream(path, { highWaterMark: READ_BYTES }), { digest, size }, signal)
  if (cut.size !== size || (digest && cut.hex !== blobNameOf(digest))) return undefined
  const ids = Buffer.from(cut.ids.buffer, cut.ids.byteOffset, cut.ids.byteLength)
  return Array.from(cut.sizes, (size, index) => ({ id: idFrom(ids.subarray(32 * index, 32 * index + 32)), size }))
}

/** The chunks of bytes that arrive in pieces, as `cutFile`. Throws what reading throws, and the reason of the signal. */
export async function cutBytes(
  pieces: AsyncIterable<Uint8Array>,
  { digest, size }: Stated,
  signal: AbortSignal,
): Promise<FileChunk[] | undefined> {
  const hasher = digest && new Hasher(digest, size)
  const found: FileChunk[] = []
  let cut = 0
  for await (const chunks of cutPieces(pieces)) {
    signal.throwIfAborted()
    for (const chunk of chunks) {
      hasher?.update(chunk)
      found.push({ id: chunkId(chunk), size: chunk.length })
      cut += chunk.length
    }
    if (cut > size) return undefined
  }
  return cut === size && hasher?.digest() === digest ? found : undefined
}

/** Undefined if the thread can't be started, or if it failed. */
async function cutInThread(task: Task, signal: AbortSignal): Promise<Cut | undefined> {
  let worker: Worker
  try {
    worker = startThread(new URL('./cutter-thread.mjs', import.meta.url), task)
  } catch {
    return undefined
  }
  const done = new Promise<Cut | undefined>((resolve) => {
    worker.once('message', resolve)
    worker.once('error', () => resolve(undefined))
    worker.once('exit', () => resolve(undefined))
  })
  try {
    return await untilAborted(signal, done)
  } finally {
    await worker.terminate()
  }
}
