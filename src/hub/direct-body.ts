import type { IncomingMessage } from 'node:http'
import { pipeline, type Readable } from 'node:stream'
import { ConnectionError } from './connection-error.ts'
import type { Body, BodyReader } from './fetch.ts'

// What comes with a redirect or an error is read to its end where that is sooner done than a new connection.
const WORTH_READING_BYTES = 64 << 10

/** The body of an answer that came by node:http. */
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

/** Has the connection kept, where no more than a little is left to come. No process waits for that: it may never come. */
export function discard(message: IncomingMessage): void {
  if (!(Number(message.headers['content-length'] ?? Number.NaN) <= WORTH_READING_BYTES)) return void message.destroy()
  message.socket.unref()
  message.resume()
}

/** The body as it was before the server compressed it. */
async function decoded(message: IncomingMessage): Promise<Readable> {
  const encoding = message.headers['content-encoding']?.trim().toLowerCase()
  if (!encoding || !/^((x-)?gzip|br)$/.test(encoding)) return message
  const { createBrotliDecompress, createGunzip } = await import('node:zlib')
  return pipeline(message, encoding === 'br' ? createBrotliDecompress() : createGunzip(), () => undefined)
}

/**
 * The chunks of a stream one by one, as they came: its own iterator copies those that wait into one. What is not asked for waits
 * in the stream, which has the server wait.
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

  /** Undefined at the end. Throws what broke the stream, after what came before. */
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
