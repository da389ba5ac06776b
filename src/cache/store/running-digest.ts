import type { FileHandle } from 'node:fs/promises'
import { BrokenDownloadError } from '../../model/broken-download.ts'
import { type Digest, Hasher } from '../../model/digest.ts'
import type { Spans } from '../../model/spans.ts'

// What is hashed at once: a millisecond of work.
const STEP_BYTES = 1 << 20

/**
 * The digest of a file whose parts come in any order: what comes in turn is hashed as it comes, and what came ahead of its
 * turn is read back from the disk, as soon as what was missing before it is there and while more comes.
 */
export class RunningDigest {
  readonly #file: FileHandle
  readonly #expected: Digest
  readonly #size: number
  #hasher: Hasher
  /** Bytes from the beginning that are hashed. */
  #hashed = 0
  /** Counts how often all was forgotten: what is read for a digest of before is dropped. */
  #restarts = 0
  /** While one is hashed, the next is read to the other. */
  #buffers: [Buffer, Buffer] | undefined
  /** Settles when all that could be read back is hashed. */
  #readingBack: Promise<void> | undefined

  constructor(file: FileHandle, expected: Digest, size: number) {
    this.#file = file
    this.#expected = expected
    this.#size = size
    this.#hasher = new Hasher(expected, size)
  }

  /** A chunk as it comes. */
  saw(chunk: Uint8Array, at: number): void {
    if (at !== this.#hashed) return
    this.#hasher.update(chunk)
    this.#hashed += chunk.byteLength
  }

  /** Takes note that more is on the disk by now. What can't be read back, `finish` meets again. */
  wrote(written: Spans): void {
    if (written.endOf(this.#hashed) > this.#hashed) void this.#readBack(written).catch(() => undefined)
  }

  /** Hashes what is on the disk of all that is next in turn. */
  async catchUp(written: Spans): Promise<void> {
    await this.#readingBack
    await this.#readBack(written)
  }

  /** The digest of what is on the disk. */
  async finish(written: Spans): Promise<Digest> {
    await this.catchUp(written)
    return this.#hasher.digest()
  }

  /** Forgets all; resolves when nothing reads the file any more. */
  async restart(): Promise<void> {
    this.#restarts++
    this.#hasher = new Hasher(this.#expected, this.#size)
    this.#hashed = 0
    await this.#readingBack?.catch(() => undefined)
  }

  #readBack(written: Spans): Promise<void> {
    this.#readingBack ??= this.#hashFromDisk(written).finally(() => {
      this.#readingBack = undefined
    })
    return this.#readingBack
  }

  async #hashFromDisk(written: Spans): Promise<void> {
    const restarts = this.#restarts
    let reading = this.#read(this.#hashed, written)
    while (reading) {
      const chunk = await reading
      if (restarts !== this.#restarts) return
      // The next is read while this one is hashed.
      reading = this.#read(this.#hashed + chunk.byteLength, written)
      this.saw(chunk, this.#hashed)
    }
  }

  /** Undefined when nothing is there. */
  #read(from: number, written: Spans): Promise<Uint8Array> | undefined {
    const length = Math.min(written.endOf(from) - from, STEP_BYTES)
    if (length === 0) return undefined
    const [buffer, other] = this.#buffers ?? [Buffer.allocUnsafeSlow(STEP_BYTES), Buffer.allocUnsafeSlow(STEP_BYTES)]
    this.#buffers = [other, buffer]
    return this.#file.read(buffer, 0, length, from).then(({ bytesRead }) => {
      if (bytesRead === 0) throw new BrokenDownloadError('What had come is shorter on disk than it was')
      return buffer.subarray(0, bytesRead)
    })
  }
}
