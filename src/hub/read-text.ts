import { formatSize } from '../config/units.ts'
import { ModelCacheError } from '../model/errors.ts'
import { chunksOf } from './body.ts'
import type { Answer } from './fetch.ts'
import type { StallWatch } from './stall-watch.ts'

/**
 * An answer of the API is far smaller: the Hub lists a thousand files in half a megabyte. Some mirrors list all files of a repo in
 * one answer.
 */
export const LARGEST_ANSWER_BYTES = 32 << 20

export interface ReadOptions {
  /** How errors name what was asked for. */
  asked: string
  /** Who answers. */
  endpoint: string
  watch: Pick<StallWatch, 'signal' | 'saw'>
  /** Bytes after decompression. */
  limit?: number
}

/** The body of an answer as text. It is read no further than to the limit, where it throws `HUB_ERROR`. */
export async function readText(answer: Answer, options: ReadOptions): Promise<string> {
  const { watch, limit = LARGEST_ANSWER_BYTES } = options
  const bytes = new GrowingBytes()
  for await (const chunk of chunksOf(answer.body, watch.signal)) {
    watch.saw(chunk.byteLength)
    if (bytes.length + chunk.byteLength > limit) throw tooLarge(options, limit)
    bytes.add(chunk)
  }
  return new TextDecoder().decode(bytes.all)
}

function tooLarge({ asked, endpoint }: ReadOptions, limit: number): ModelCacheError {
  return new ModelCacheError({
    code: 'HUB_ERROR',
    asked,
    reason: `${endpoint} answered with more than ${formatSize(limit)}, and no answer of a Hub's API is that large.`,
    nextStep: 'Check that HF_ENDPOINT is a Hugging Face Hub, and that no proxy answers in its place.',
  })
}

/** Bytes that come in chunks. They are copied: a list of the chunks of a server that sends single bytes takes a hundred times as much. */
class GrowingBytes {
  #buffer = new Uint8Array(64 << 10)
  length = 0

  get all(): Uint8Array {
    return this.#buffer.subarray(0, this.length)
  }

  add(chunk: Uint8Array): void {
    const needed = this.length + chunk.byteLength
    if (needed > this.#buffer.byteLength) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.byteLength))
      larger.set(this.all)
      this.#buffer = larger
    }
    this.#buffer.set(chunk, this.length)
    this.length = needed
  }
}
