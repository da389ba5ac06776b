import { closeSync, openSync, read, readSync } from 'node:fs'
import process from 'node:process'
import type { ReadableByteStreamController, ReadableStream } from 'node:stream/web'

const CHUNK_BYTES = 1 << 18

/** A part of a file, without the byte at `end`. */
interface Part {
  file: string
  start: number
  end: number
}

/**
 * A part of a file as a stream of bytes, as `fetch` returns a body. An abort ends the stream at once with the caller's reason. The
 * file is opened at the first read: many callers only look at the status.
 */
export function fileBody(part: Part, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  const reader = new PartReader(part)
  let onAbort: (() => void) | undefined
  const close = () => {
    if (onAbort) signal?.removeEventListener('abort', onAbort)
    reader.close()
  }
  const listen = (controller: ReadableByteStreamController) => {
    onAbort = () => {
      controller.error(signal?.reason)
      close()
    }
    if (signal?.aborted) onAbort()
    else signal?.addEventListener('abort', onAbort)
  }
  const next = () =>
    reader.read().catch((error) => {
      close()
      throw error
    })
  // Loaded late: it takes 3 ms, and most processes need no such stream. The global may be a suite's own.
  const web = process.getBuiltinModule('node:stream/web')
  return new web.ReadableStream({
    type: 'bytes',
    async pull(controller) {
      if (!onAbort) listen(controller)
      const chunk = signal?.aborted ? undefined : await next()
      if (signal?.aborted) return close()
      if (chunk) return controller.enqueue(chunk)
      close()
      controller.close()
      // Returns the buffer to a caller that reads into its own one.
      controller.byobRequest?.respond(0)
    },
    cancel: close,
  })
}

/** An open file. Not a `FileHandle`: if it is not closed, Node.js warns, and from version 25 on throws. */
interface OpenFile {
  descriptor: number | undefined
  /** True during a read. The file is then closed after the read. */
  isBusy: boolean
  isGivenUp: boolean
}

function closeFile(open: OpenFile): void {
  open.isGivenUp = true
  if (open.descriptor === undefined || open.isBusy) return
  closeSync(open.descriptor)
  open.descriptor = undefined
}

/** Closes the files of readers that were garbage-collected. A caller may drop a body before its end. */
const dropped = new FinalizationRegistry(closeFile)

class PartReader {
  readonly #open: OpenFile = { descriptor: undefined, isBusy: false, isGivenUp: false }
  #position: number

  constructor(readonly part: Part) {
    this.#position = part.start
    dropped.register(this, this.#open, this)
  }

  /** The next bytes; undefined at the end, and after `close`. */
  async read(): Promise<Uint8Array | undefined> {
    const { file, start, end } = this.part
    if (this.#open.isGivenUp || start === end) return undefined
    this.#open.descriptor ??= openSync(file, 'r')
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, end - this.#position))
    // Handing a small file to a thread takes longer than reading it.
    const isSmall = end - start <= CHUNK_BYTES
    const bytes = isSmall
      ? readSync(this.#open.descriptor, chunk, 0, chunk.length, this.#position)
      : await this.#readByThread(this.#open.descriptor, chunk)
    if (bytes === 0) throw new Error(`${file} became shorter while it was read.`)
    this.#position += bytes
    if (this.#position >= end) this.close()
    return chunk.subarray(0, bytes)
  }

  close(): void {
    dropped.unregister(this)
    closeFile(this.#open)
  }

  #readByThread(descriptor: number, chunk: Uint8Array): Promise<number> {
    const open = this.#open
    open.isBusy = true
    return new Promise((resolve, reject) => {
      read(descriptor, chunk, 0, chunk.length, this.#position, (error, bytes) => {
        open.isBusy = false
        if (open.isGivenUp) closeFile(open)
        if (error) reject(error)
        else resolve(bytes)
      })
    })
  }
}
