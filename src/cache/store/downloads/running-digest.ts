import type { FileHandle } from 'node:fs/promises'
import { BrokenDownloadError } from '../../../model/broken-download.ts'
import { type Digest, Hasher } from '../../../model/digest.ts'
import type { Spans } from '../../../model/spans.ts'

// How many bytes are hashed in one step: about a millisecond of work.
const STEP_BYTES = 1 << 20

/**
 * The digest of a file whose parts arrive in any order. A chunk that is next in order is hashed when it arrives. A part that arrived
 * too early is read back from the disk once the bytes before it are hashed, while more chunks arrive.
 */
export class RunningDigest {
  readonly #file: FileHandle
  readonly #expected: Digest
  readonly #size: number
  #hasher: Hasher
  /** How many bytes are hashed, from the beginning of the file. */
  #hashed = 0
  /** How often `restart` was called. A chunk that was read before a restart is dropped. */
  #restarts = 0
  /** While the content of one is hashed, the next chunk is read into the other. */
  #buffers: [Buffer, Buffer] | undefined
  /** Settles when all bytes that can be read back are hashed. Undefined when none are being read. */
  #readingBack: Promise<void> | undefined

  constructor(file: FileHandle, expected: Digest, size: number) {
    this.#file = file
    this.#expected = expected
    this.#size = size
    this.#hasher = new Hasher(expected, size)
  }

  /** Called with each chunk when it arrives, and the byte at which it belongs. */
  saw(chunk: Uint8Array, at: number): void {
    if (at !== this.#hashed) return
    this.#hasher.update(chunk)
    this.#hashed += chunk.byteLength
  }

  /** Called when more bytes are on the disk. A read error is ignored here, because `finish` reads the same bytes again. */
  wrote(written: Spans): void {
    if (written.endOf(this.#hashed) > this.#hashed) void this.#readBack(written).catch(() => undefined)
  }

  /** Reads back and hashes all bytes on the disk that are next in order. */
  async catchUp(written: Spans): Promise<void> {
    await this.#readingBack
    await this.#readBack(written)
  }

  /** The digest of the whole file. Throws `BrokenDownloadError` when the file is shorter on disk than what was written. */
  async finish(written: Spans): Promise<Digest> {
    await this.catchUp(written)
    return this.#hasher.digest()
  }

  /** Begins again without any bytes. Resolves when the file is not being read any more. */
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
      // The next chunk is read while this one is hashed.
      reading = this.#read(this.#hashed + chunk.byteLength, written)
      this.saw(chunk, this.#hashed)
    }
  }

  /** Reads the chunk that begins at byte `from`. Undefined when that byte is not on the disk yet. */
  #read(from: number, written: Spans): Promise<Uint8Array> | undefined {
    const length = Math.min(written.endOf(from) - from, STEP_BYTES)
    if (length === 0) return undefined
    const [buffer, other] = this.#buffers ?? [Buffer.allocUnsafeSlow(STEP_BYTES), Buffer.allocUnsafeSlow(STEP_BYTES)]
    this.#buffers = [other, buffer]
    return this.#file.read(buffer, 0, length, from).then(({ bytesRead }) => {
      if (bytesRead === 0) throw new BrokenDownloadError('The unfinished file is shorter on disk than what was written')
      return buffer.subarray(0, bytesRead)
    })
  }
}
