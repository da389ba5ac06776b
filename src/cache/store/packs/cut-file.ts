import { fileURLToPath } from 'node:url'
import { type ChunkId, idFrom } from '../../../model/chunk-id.ts'
import { blobNameOf, type Digest, hashRecipe } from '../../../model/digest.ts'
import { originals } from '../../../platform/originals.ts'
import { Slices } from '../../../platform/slices.ts'
import { untilAborted } from '../../../platform/until-aborted.ts'
import { type Cut, cutInSteps } from './file-cutter.mjs'

// Starting a thread takes as long as cutting some 30 MB.
const WORTH_A_THREAD_BYTES = 32 << 20

/** A chunk of a file. */
export interface FileChunk {
  id: ChunkId
  /** Bytes. */
  size: number
}

/**
 * The chunks of a file, in order. Undefined when the file has another size or digest than stated. A digest that is not given is not
 * computed, which takes a third of the time. Throws the errors of the disk, and the reason of the signal.
 */
export async function cutFile(
  { path, digest, size }: { path: string; digest?: Digest; size: number },
  signal?: AbortSignal,
): Promise<FileChunk[] | undefined> {
  signal?.throwIfAborted()
  const task = { path, ...(digest && { whole: hashRecipe(digest, size) }) }
  const inThread = size < WORTH_A_THREAD_BYTES ? undefined : await cutInThread(task, signal)
  const cut = inThread ?? (await new Slices().run(cutInSteps(task), NOTHING, signal))
  if (cut.size !== size || (digest && cut.hex !== blobNameOf(digest))) return undefined
  const ids = Buffer.from(cut.ids.buffer, cut.ids.byteOffset, cut.ids.byteLength)
  return Array.from(cut.sizes, (size, index) => ({ id: idFrom(ids.subarray(32 * index, 32 * index + 32)), size }))
}

type Task = Parameters<typeof cutInSteps>[0]

const NOTHING: Cut = { hex: '', size: 0, ids: new Uint8Array(), sizes: new Uint32Array() }

/** Undefined if the thread can't be started, or if it failed. */
async function cutInThread(task: Task, signal = new originals.AbortController().signal): Promise<Cut | undefined> {
  const { Worker } = await import('node:worker_threads')
  const file = fileURLToPath(new URL('./cutter-thread.mjs', import.meta.url))
  let worker: InstanceType<typeof Worker>
  try {
    // Some flags of the process can't be used in a thread, and `--import` would load the user's code into it.
    worker = new Worker(file, { workerData: task, execArgv: [] })
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
