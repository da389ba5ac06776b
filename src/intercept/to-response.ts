import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { originals } from '../platform/originals.ts'
import type { Answer } from './answer.ts'

/** The answer as `fetch` gives it. */
export function toResponse({ status, headers, body }: Answer, url: string): Response {
  const response = new originals.Response(typeof body === 'object' ? streamOf(body) : (body ?? null), {
    status,
    headers,
  })
  // A response that was made has no address of its own; callers look at it for errors and for names.
  Object.defineProperty(response, 'url', { value: url })
  return response
}

function streamOf({ file, start, end }: { file: string; start: number; end: number }): ReadableStream<Uint8Array> {
  // `end` is included there, and an empty part has no last byte.
  const stream =
    start < end ? createReadStream(file, { start, end: end - 1, highWaterMark: 1 << 18 }) : Readable.from([])
  return Readable.toWeb(stream) as ReadableStream<Uint8Array>
}
