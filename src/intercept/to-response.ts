import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import type { Answer } from './answer.ts'

// Those of node:http, which would be loaded for them alone.
const STATUS_TEXTS = new Map([
  [200, 'OK'],
  [206, 'Partial Content'],
  [404, 'Not Found'],
  [416, 'Range Not Satisfiable'],
])

/**
 * The answer as `fetch` gives it, of the class that the caller's own `fetch` would give; an abort of the request ends its
 * body too.
 */
export function toResponse(
  { status, headers, body }: Answer,
  { url, signal }: Request,
  Class: typeof Response,
): Response {
  const content = typeof body === 'object' ? streamOf(body, signal) : (body ?? null)
  const response = new Class(content, { status, statusText: STATUS_TEXTS.get(status) ?? '', headers })
  // A response that was made has no address of its own; callers look at it for errors and for names.
  Object.defineProperty(response, 'url', { value: url })
  return response
}

function streamOf(
  { file, start, end }: { file: string; start: number; end: number },
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  const options = { start, end: end - 1, highWaterMark: 1 << 18, signal }
  // `end` is included there, and an empty part has no last byte.
  const stream = start < end ? createReadStream(file, options) : Readable.from([])
  return Readable.toWeb(stream) as ReadableStream<Uint8Array>
}
