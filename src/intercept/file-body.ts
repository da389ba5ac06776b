import { closeSync, openSync, read, readSync } from 'node:fs'
import { type ReadableByteStreamController, ReadableStream } from 'node:stream/web'

const CHUNK_BYTES = 1 << 18

/** A part of a file, `end` not included. */
interface Part {
  file: string
  start: number
  end: number
}

/**
 * A part of a file as `fetch` gives a body: a stream of bytes. An abort ends it at once with the caller's reason. The file is
 * opened, and the signal listened to, at the first read: many callers look at the status alone.
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
  return new ReadableStream({
    type: 'bytes',
    async pull(controller) {
      if (!onAbort) listen(controller)
      const chunk = signal?.aborted ? undefined : await next()
      if (signal?.aborted) return close()
      if (chunk) return controller.enqueue(chunk)
      close()
      controller.close()
      // A caller that reads into its own buffer gets the buffer back by this.
      controller.byobRequest?.respond(0)
    },
    cancel: close,
  })
}

/** A file that is open. A plain number: Node.js warns of a `FileHandle` that nobody closed, and throws from version 25 on. */
interface OpenFile {
  descriptor: number | undefined
  /** A read is under way: the file is closed after it. */
  isBusy: boolean
  isGivenUp: boolean
}

function closeFile(open: OpenFile): void {
  open.isGivenUp = true
  if (open.descriptor === undefined || open.isBusy) return
  closeSync(open.descriptor)
  open.descriptor = undefined
}

/** Closes the files of readers that nobody can read on: a caller may drop a body in the middle. */
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
    // A thread takes longer to be asked for a small file than to read it.
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
