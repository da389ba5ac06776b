import { type FileHandle, open } from 'node:fs/promises'
import type { ReadableByteStreamController, ReadableStream } from 'node:stream/web'
import { originals } from '../platform/originals.ts'

const CHUNK_BYTES = 1 << 18

/** A part of a file, `end` not included. */
interface Part {
  file: string
  start: number
  end: number
}

/**
 * A part of a file as `fetch` gives a body: a stream of bytes, which an abort ends at once with the reason of who aborts. The
 * file is opened when it is read: many callers look at the status alone. The request is taken whole: its signal hears of
 * no abort any more when nobody holds it.
 */
export function fileBody(part: Part, request: Request): ReadableStream<Uint8Array> {
  const reader = new PartReader(part)
  let onAbort: () => void
  const close = () => {
    request.signal.removeEventListener('abort', onAbort)
    return reader.close()
  }
  const source = {
    type: 'bytes' as const,
    start(controller: ReadableByteStreamController) {
      onAbort = () => {
        controller.error(request.signal.reason)
        void close()
      }
      request.signal.addEventListener('abort', onAbort)
    },
    async pull(controller: ReadableByteStreamController) {
      const chunk = await reader.read()
      if (request.signal.aborted) return close()
      if (chunk) return controller.enqueue(chunk)
      await close()
      controller.close()
      // Who reads into a buffer of their own gets it back by this.
      controller.byobRequest?.respond(0)
    },
    cancel: close,
  }
  return new originals.ReadableStream(source) as ReadableStream<Uint8Array>
}

class PartReader {
  #handle: FileHandle | undefined
  #position: number

  constructor(readonly part: Part) {
    this.#position = part.start
  }

  /** What comes next; undefined at the end. */
  async read(): Promise<Uint8Array | undefined> {
    const { file, end } = this.part
    if (this.#position >= end) return undefined
    this.#handle ??= await open(file)
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, end - this.#position))
    const { bytesRead } = await this.#handle.read(chunk, 0, chunk.length, this.#position)
    if (bytesRead === 0) throw new Error(`${file} became shorter while it was read.`)
    this.#position += bytesRead
    return chunk.subarray(0, bytesRead)
  }

  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
  }
}
