import { open } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Answer } from './answer.ts'

const CHUNK_BYTES = 1 << 18

/**
 * Sends an answer as a response of node:http. Throws before the headers are sent if the file can't be opened. `signal` aborts when the
 * connection is closed: a response that waits behind another one on its connection does not notice that.
 */
export async function sendAnswer(
  response: ServerResponse,
  { status, headers, body }: Answer,
  further: Record<string, string>,
  signal?: AbortSignal,
): Promise<void> {
  // `createReadStream` includes the byte at `end`, so it can't read an empty part.
  if (typeof body !== 'object' || body.start === body.end) {
    const text = typeof body === 'string' ? body : ''
    // An answer to HEAD states the length of the file. 304 has no body.
    const length = status === 304 ? {} : { 'Content-Length': String(Buffer.byteLength(text)) }
    response.writeHead(status, { ...length, ...headers, ...further })
    response.end(text)
    return
  }
  const { file, start, end } = body
  // The open file can be read to its end, also if it is removed meanwhile.
  const stream = (await open(file)).createReadStream({ start, end: end - 1, highWaterMark: CHUNK_BYTES })
  try {
    response.writeHead(status, { ...headers, ...further })
    await pipeline(stream, response, { end: false, signal })
  } finally {
    stream.destroy()
  }
  // A client that waits for the rest of a cut file has to see the failure.
  if (stream.bytesRead === end - start) response.end()
  else response.destroy()
}
