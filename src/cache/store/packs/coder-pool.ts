import { availableParallelism } from 'node:os'
import { type Encoded, encode } from './chunk-coder.mjs'
import type { Done } from './coder-thread.mjs'
import { CoderThreads, ThreadFailed } from './coder-threads.ts'
import { decodeInto, type Stored } from './decode-into.mjs'

// Starting a thread takes as long as decoding some 20 MB.
const WORTH_THREADS_BYTES = 32 << 20
const MOST_THREADS = 4

/** The threads of this process, while someone uses them. */
let shared: { threads: CoderThreads; users: number } | undefined

/** Encodes and decodes chunks: in threads for much work, else in this thread. All pools of a process share its threads. */
export class CoderPool {
  /** How many tasks keep all threads busy. */
  readonly atOnce: number
  #threads: CoderThreads | undefined
  #isBroken = false

  /** `bytes`: how much will be encoded or decoded. */
  constructor(bytes: number) {
    const most = Math.max(1, Math.min(MOST_THREADS, availableParallelism()))
    const isThreaded = bytes >= WORTH_THREADS_BYTES
    this.atOnce = isThreaded ? 2 * most + 1 : 1
    if (!isThreaded) return
    shared ??= { threads: new CoderThreads(most), users: 0 }
    shared.users++
    this.#threads = shared.threads
  }

  async encode(chunks: Uint8Array[]): Promise<Encoded[]> {
    const done = await this.#inThread({ encode: chunks }, [])
    return done && 'encoded' in done ? done.encoded : chunks.map(encode)
  }

  /** Decodes chunks into `target`, one after the other. The memory that is returned replaces it. Undefined if a pack file is gone. */
  async decode(chunks: Stored[], target: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const size = target.length
    const done = await this.#inThread({ decode: chunks, target }, [target.buffer])
    if (done && 'target' in done) return done.isThere ? done.target : undefined
    const memory = target.length === size ? target : new Uint8Array(size)
    return decodeInto(memory, chunks) ? memory : undefined
  }

  /** Rejects what is being encoded or decoded, unless another pool uses the threads. */
  async close(): Promise<void> {
    if (!this.#threads || !shared) return
    this.#threads = undefined
    if (--shared.users > 0) return
    const { threads } = shared
    shared = undefined
    await threads.close()
  }

  /** Undefined without threads, and where no thread can be started. */
  async #inThread(...task: Parameters<CoderThreads['run']>): Promise<Done | undefined> {
    if (this.#isBroken) return undefined
    try {
      const done = await this.#threads?.run(...task)
      if (done && 'error' in done) throw new Error(done.error)
      return done
    } catch (error) {
      // After `close`, nobody waits for the result.
      if (!(error instanceof ThreadFailed) || !this.#threads) throw error
      this.#isBroken = true
      return undefined
    }
  }
}
