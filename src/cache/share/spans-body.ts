import { createReadStream } from 'node:fs'
import { type Digest, Hasher } from '../../model/digest.ts'
import type { Span } from '../../model/spans.ts'
import type { ObjectBody } from '../../remote/store.ts'
import { type FileStamp, isAsRecorded, stampOf } from '../store/blobs.ts'
import { DamagedFile } from './verified-body.ts'

const READ_BYTES = 1 << 20

/**
 * Ranges of a file that was verified, one after the other, as the body of an object. Reading throws `DamagedFile` if the file has changed.
 */
export class SpansBody implements ObjectBody {
  readonly size: number
  /** Why it could not be read. */
  failure: unknown

  /** `stamp`: that of the file when it was verified. `onBytes` is called with the bytes that were handed out. */
  constructor(
    readonly file: { path: string; stamp: FileStamp | undefined },
    readonly spans: readonly Span[],
    readonly onBytes: (bytes: number) => void = () => undefined,
  ) {
    this.size = spans.reduce((sum, { start, end }) => sum + end - start, 0)
  }

  async *open(start = 0, end = this.size): AsyncGenerator<Uint8Array> {
    let [last, left]: [Uint8Array | undefined, number] = [undefined, Math.max(0, end - start)]
    try {
      for (const span of within(this.spans, start, end))
        for await (const chunk of this.#read(span)) {
          if (last) yield this.#counted(last)
          last = chunk
          left -= chunk.byteLength
        }
      if (left !== 0 || !isAsRecorded(stampOf(this.file.path), this.file.stamp))
        throw new DamagedFile(`${this.file.path} is not what was stated`)
      if (last) yield this.#counted(last)
    } catch (error) {
      this.failure ??= error
      throw error
    }
  }

  /** The digest of the bytes. Throws as reading does. */
  async digest(signal: AbortSignal): Promise<Digest> {
    const hasher = new Hasher('sha256:', this.size)
    for await (const chunk of this.open()) {
      signal.throwIfAborted()
      hasher.update(chunk)
    }
    return hasher.digest()
  }

  #read({ start, end }: Span): AsyncIterable<Uint8Array> {
    return createReadStream(this.file.path, { start, end: end - 1, highWaterMark: READ_BYTES })
  }

  #counted(chunk: Uint8Array): Uint8Array {
    this.onBytes(chunk.byteLength)
    return chunk
  }
}

/** The ranges of the file that hold the bytes `start` to `end` of the body. */
function within(spans: readonly Span[], start: number, end: number): Span[] {
  let at = 0
  return spans.flatMap((span) => {
    const begin = at
    at += span.end - span.start
    const from = Math.max(start, begin)
    const to = Math.min(end, at)
    return from < to ? [{ start: span.start + from - begin, end: span.start + to - begin }] : []
  })
}
