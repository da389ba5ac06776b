import { createReadStream } from 'node:fs'
import { type Digest, Hasher } from '../../model/digest.ts'
import type { HubPath } from '../../model/hub-path.ts'
import type { ObjectBody } from '../../remote/store.ts'
import { isAsRecorded, matchesDigest, stampOf } from '../store/blobs.ts'

const READ_BYTES = 1 << 20

/** A file of the cache is not what was stated: it must not be sent. */
export class DamagedFile extends Error {
  override readonly name = 'DamagedFile'
}

export interface LocalFile {
  /** Where it is on disk. */
  path: string
  /** Its path in the repo. */
  name: HubPath
  digest: Digest
  /** Bytes. */
  size: number
}

/**
 * A file as the body of an object. Its last bytes are handed out only after the digest of all bytes was found right. So a store never gets
 * the whole of a damaged file, and what it does not get as a whole it does not keep. Reading throws `DamagedFile`.
 */
export class VerifiedBody implements ObjectBody {
  readonly size: number
  readonly #file: LocalFile
  readonly #onBytes: (bytes: number) => void
  #isRight: Promise<boolean> | undefined
  /** Why it could not be read: it is damaged, or it was removed. */
  failure: unknown

  /** `onBytes` is called with the bytes that were handed out. */
  constructor(file: LocalFile, onBytes: (bytes: number) => void) {
    this.size = file.size
    this.#file = file
    this.#onBytes = onBytes
  }

  async *open(start = 0, end = this.size): AsyncGenerator<Uint8Array> {
    const chunks = start === 0 && end === this.size ? this.#whole() : this.#part(start, end)
    try {
      for await (const chunk of chunks) {
        this.#onBytes(chunk.byteLength)
        yield chunk
      }
    } catch (error) {
      this.failure ??= error
      throw error
    }
  }

  /** The bytes are hashed while they are read. */
  async *#whole(): AsyncGenerator<Uint8Array> {
    const { path, digest, size } = this.#file
    const hasher = new Hasher(digest, size)
    let read = 0
    let last: Uint8Array | undefined
    for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) {
      if (last) yield last
      hasher.update(chunk)
      read += chunk.byteLength
      last = chunk
      if (read > size) throw this.#damaged()
    }
    if (read !== size || hasher.digest() !== digest) throw this.#damaged()
    if (last) yield last
  }

  /** Parts are read in any order, so the digest is computed beside them. The last part of the file ends only when it is known. */
  async *#part(start: number, end: number): AsyncGenerator<Uint8Array> {
    const { path, digest, size } = this.#file
    if (end <= start) return
    const stamp = stampOf(path)
    this.#isRight ??= matchesDigest(path, digest, size)
    // It is awaited below. Without this, a part that fails first would leave a rejection that nobody handles.
    this.#isRight.catch(() => undefined)
    let last: Uint8Array | undefined
    let read = 0
    for await (const chunk of createReadStream(path, { start, end: end - 1, highWaterMark: READ_BYTES })) {
      if (last) yield last
      read += chunk.byteLength
      last = chunk
    }
    const isRight = end < size || (await this.#isRight)
    if (read !== end - start || !isRight || !isAsRecorded(stampOf(path), stamp)) throw this.#damaged()
    if (last) yield last
  }

  #damaged(): DamagedFile {
    return new DamagedFile(`${this.#file.path} is not what was stated`)
  }
}
