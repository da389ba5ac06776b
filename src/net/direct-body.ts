import type { IncomingMessage } from 'node:http'
import { pipeline, type Readable } from 'node:stream'
import { ConnectionError } from './connection-error.ts'
import type { Body, BodyReader } from './fetch.ts'

// The body of a redirect or an error is read to its end if that is faster than opening a new connection.
const WORTH_READING_BYTES = 64 << 10

/** The body of a response of node:http. */
export class DirectBody implements Body {
  readonly #message: IncomingMessage
  readonly #signal: AbortSignal | undefined
  #isRead = false

  constructor(message: IncomingMessage, signal: AbortSignal | undefined) {
    this.#message = message
    this.#signal = signal
    const end = () => void message.destroy()
    if (signal?.aborted) end()
    signal?.addEventListener('abort', end, { once: true })
    message.once('close', () => signal?.removeEventListener('abort', end))
  }

  getReader(): BodyReader {
    this.#isRead = true
    const chunks = decoded(this.#message).then((stream) => new Chunks(stream))
    return {
      read: async () => {
        try {
          const value = await (await chunks).next()
          return { done: value === undefined, value }
        } catch (error) {
          throw this.#signal?.aborted ? this.#signal.reason : new ConnectionError(error)
        }
      },
      cancel: () => this.cancel(),
    }
  }

  async cancel(): Promise<void> {
    if (this.#isRead) this.#message.destroy()
    else discard(this.#message)
  }
}

/**
 * Discards a body. A small one is read to its end, so that its connection can be used again; the process does not wait for
 * that, as the rest may never arrive.
 */
export function discard(message: IncomingMessage): void {
  if (Number(message.headers['content-length']) > WORTH_READING_BYTES) return void message.destroy()
  message.socket.unref()
  let received = 0
  message.on('data', ({ length }) => {
    received += length
    if (received > WORTH_READING_BYTES) message.destroy()
  })
}

/** The decompressed body. */
async function decoded(message: IncomingMessage): Promise<Readable> {
  const encoding = message.headers['content-encoding']?.trim().toLowerCase()
  if (!encoding || !/^((x-)?gzip|br)$/.test(encoding)) return message
  const { createBrotliDecompress, createGunzip } = await import('node:zlib')
  return pipeline(message, encoding === 'br' ? createBrotliDecompress() : createGunzip(), () => undefined)
}

/**
 * Reads a stream chunk by chunk. The stream's own iterator would copy waiting chunks into one buffer. The stream is paused
 * after each chunk, so that a slow reader also slows down the server.
 */
class Chunks {
  readonly #stream: Readable
  readonly #waiting: Uint8Array[] = []
  #isOver = false
  #error: unknown
  #wake: () => void = () => undefined

  constructor(stream: Readable) {
    this.#stream = stream
    stream.on('data', (chunk) => {
      this.#waiting.push(chunk)
      stream.pause()
      this.#wake()
    })
    stream.on('end', () => this.#end(undefined))
    stream.on('error', (error) => this.#end(error))
    stream.on('close', () => this.#end(new Error('closed before its end')))
    if (stream.destroyed) this.#end(stream.errored ?? new Error('closed before its end'))
  }

  /** The next chunk; undefined at the end. Throws the error of a broken stream once all earlier chunks have been read. */
  async next(): Promise<Uint8Array | undefined> {
    while (this.#waiting.length === 0 && !this.#isOver) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#stream.resume()
      await woken
    }
    const chunk = this.#waiting.shift()
    if (!chunk && this.#error !== undefined) throw this.#error
    return chunk
  }

  #end(error: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#error = error
    this.#wake()
  }
}
