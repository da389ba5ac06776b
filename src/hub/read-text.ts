import { formatSize } from '../config/units.ts'
import { ModelCacheError } from '../model/errors.ts'
import { chunksOf } from '../net/body.ts'
import type { Answer } from '../net/fetch.ts'
import { GrowingBytes } from '../platform/growing-bytes.ts'
import type { StallWatch } from './stall-watch.ts'

/**
 * Far more than a response of the Hub's API needs: a listing of 1,000 files takes half a megabyte. Some mirrors list all files
 * of a repo in one response.
 */
export const LARGEST_ANSWER_BYTES = 32 << 20

export interface ReadOptions {
  /** The subject of the request in error messages. */
  asked: string
  /** The server, for error messages. */
  endpoint: string
  watch: Pick<StallWatch, 'signal' | 'saw'>
  /** The largest accepted size in bytes, after decompression. */
  limit?: number
}

/** The body of a response as text. Throws `HUB_ERROR` as soon as the body is longer than the limit. */
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
    reason: `The response of ${endpoint} is larger than ${formatSize(limit)}. No response of a Hub's API is that large.`,
    nextStep: 'Check that HF_ENDPOINT is a Hugging Face Hub, and that no proxy answers in its place.',
  })
}
