import { type FileHandle, open } from 'node:fs/promises'
import { type ReadableByteStreamController, ReadableStream } from 'node:stream/web'

const CHUNK_BYTES = 1 << 18

/** A part of a file, `end` not included. */
interface Part {
  file: string
  start: number
  end: number
}

/**
 * A part of a file as `fetch` gives a body: a stream of bytes, which an abort ends at once with the reason of who aborts. The
 * file is opened, and the signal listened to, when it is read: many callers look at the status alone.
 */
export function fileBody(part: Part, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  const reader = new PartReader(part)
  let onAbort: (() => void) | undefined
  const close = () => {
    if (onAbort) signal?.removeEventListener('abort', onAbort)
    return reader.close()
  }
  const listen = (controller: ReadableByteStreamController) => {
    onAbort = () => {
      controller.error(signal?.reason)
      void close()
    }
    if (signal?.aborted) onAbort()
    else signal?.addEventListener('abort', onAbort)
  }
  return new ReadableStream({
    type: 'bytes',
    async pull(controller) {
      if (!onAbort) listen(controller)
      const chunk = signal?.aborted ? undefined : await reader.read()
      if (signal?.aborted) return close()
      if (chunk) return controller.enqueue(chunk)
      await close()
      controller.close()
      // Who reads into a buffer of their own gets it back by this.
      controller.byobRequest?.respond(0)
    },
    cancel: close,
  })
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
