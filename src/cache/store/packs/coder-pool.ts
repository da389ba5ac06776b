import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Tinypool } from 'tinypool'
import { decodeFrom, type Encoded, encode, type Stored } from './chunk-coder.mjs'

// Starting a thread takes as long as decoding some 20 MB.
const WORTH_THREADS_BYTES = 32 << 20

/** Encodes and decodes chunks: in threads for much work, else in this thread. */
export class CoderPool {
  /** How many tasks keep all threads busy. */
  readonly atOnce: number
  readonly #threads: number
  #pool: Promise<Tinypool> | undefined

  /** `bytes`: how much will be encoded or decoded. */
  constructor(bytes: number) {
    this.#threads = bytes < WORTH_THREADS_BYTES ? 0 : Math.max(1, Math.min(4, availableParallelism()))
    this.atOnce = 2 * this.#threads + 1
  }

  async encode(chunks: Uint8Array[]): Promise<Encoded[]> {
    return this.#threads === 0 ? chunks.map(encode) : (await this.#open()).run({ encode: chunks })
  }

  async decode(stored: Stored): Promise<Uint8Array> {
    return this.#threads === 0 ? decodeFrom(stored) : (await this.#open()).run({ decode: stored })
  }

  async close(): Promise<void> {
    await (await this.#pool)?.destroy()
  }

  #open(): Promise<Tinypool> {
    this.#pool ??= openPool(this.#threads)
    return this.#pool
  }
}

async function openPool(threads: number): Promise<Tinypool> {
  const { Tinypool } = await import('tinypool')
  const filename = fileURLToPath(new URL('./chunk-coder.mjs', import.meta.url))
  return new Tinypool({ filename, minThreads: 0, maxThreads: threads })
}
