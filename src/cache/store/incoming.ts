import { constants } from 'node:fs'
import { chmod, type FileHandle, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { DigestMismatchError } from '../../model/broken-download.ts'
import { blobNameOf, type Digest } from '../../model/digest.ts'
import { type Span, Spans } from '../../model/spans.ts'
import { moveInto } from './atomic-write.ts'
import type { Layout } from './layout.ts'
import { noteOf, takeOver, writeNote } from './leftovers.ts'
import { uniqueBeside } from './own-names.ts'
import { thisProcess } from './owner.ts'
import { removeUnique } from './remove-own.ts'
import { RunningDigest } from './running-digest.ts'

// Few large writes: one for each 64 kB network chunk would cost more than the network on a fast link.
const WRITE_AT_BYTES = 1 << 20
// A smaller file is sooner downloaded anew than looked after.
const WORTH_RESUMING_BYTES = 1 << 20
// Fewer would have the disk write small pieces.
const SYNC_AT_BYTES = 16 << 20
// What a kill may lose of what several connections brought.
const NOTE_EVERY_BYTES = 8 << 20

/** Chunks that follow each other and wait to be written. */
interface Pending extends Span {
  chunks: Uint8Array[]
}

/**
 * A file on its way in: hashed while it is written, never visible as a model, published only when it is right. Parts may
 * come in any order. What came of one that was given up or whose process died is taken over by whoever comes next.
 */
export class IncomingFile {
  readonly #path: string
  readonly #file: FileHandle
  readonly #digest: Digest
  readonly #size: number
  readonly #hashing: RunningDigest
  /** What came, written or not. */
  #received: Spans
  #written: Spans
  /** Bytes that were written when the note last said which. */
  #noted = 0
  /** Side by side connections each have one. */
  #pending: Pending[] = []
  /** Settles when nothing is on its way to the disk; never rejects. */
  #flushing: Promise<void> = Promise.resolve()
  /** Bytes that were written since the disk was last told to write all. */
  #unsynced = 0
  #isSyncing = false
  #etag: string | undefined
  /** What the disk refused: bytes that came, and may be hashed, are not there. */
  #lost: { error: unknown } | undefined

  private constructor(
    path: string,
    file: FileHandle,
    { digest, size }: { digest: Digest; size: number },
    left: { etag?: string; written: readonly Span[] },
  ) {
    this.#path = path
    this.#file = file
    this.#digest = digest
    this.#size = size
    this.#hashing = new RunningDigest(file, digest, size)
    this.#received = new Spans(left.written)
    this.#written = new Spans(left.written)
    this.#etag = left.etag
  }

  /** Goes on with what somebody left of this blob, else begins. Called under the repo's lock. */
  static async claim(layout: Layout, digest: Digest, size: number): Promise<IncomingFile> {
    await mkdir(layout.incoming, { recursive: true, mode: 0o700 })
    const path = uniqueBeside(join(layout.incoming, blobNameOf(digest)), 'incomplete')
    const left = await takeOver(layout, digest, path)
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    // Also what a damaged note says nothing of: it would stay behind the file's end.
    const isTooLong = left.length > size
    const incoming = new IncomingFile(path, file, { digest, size }, isTooLong ? { written: [] } : left)
    try {
      if (isTooLong) await file.truncate(0)
      await incoming.#note(thisProcess())
      await incoming.#hashing.catchUp(incoming.#written)
    } catch (error) {
      await incoming.discard()
      throw error
    }
    return incoming
  }

  /** Bytes that are there, from this process or another. */
  get received(): number {
    return this.#received.bytes
  }

  /** How the server knew the content that these bytes are of. */
  get etag(): string | undefined {
    return this.#etag
  }

  /** What is missing, in order. */
  gaps(): Span[] {
    return this.#received.gaps(this.#size)
  }

  async write(chunk: Uint8Array, at: number): Promise<void> {
    if (this.#lost) throw this.#lost.error
    const end = at + chunk.byteLength
    this.#hashing.saw(chunk, at)
    this.#received.add({ start: at, end })
    const pending = this.#pending.find((part) => part.end === at) ?? this.#begin(at)
    pending.chunks.push(chunk)
    pending.end = end
    if (pending.end - pending.start >= WRITE_AT_BYTES) await this.#flushLater(pending)
  }

  /** Forgets what came; what comes now has this ETag. */
  async restart(etag?: string): Promise<void> {
    this.#pending = []
    await this.#flushing
    const hadNoted = this.#noted > 0
    await this.#hashing.restart()
    // Where nothing was written yet, it would have ext4 write the whole file to the disk as it is closed.
    if (this.#written.bytes > 0) await this.#file.truncate(0)
    this.#received = new Spans()
    this.#written = new Spans()
    this.#noted = 0
    if (etag === this.#etag && !hadNoted) return
    this.#etag = etag
    await this.#note(thisProcess())
  }

  /** Moves the file to its place when its digest is right. Throws `DigestMismatchError`, and what the disk refused before. */
  async publish(blob: string): Promise<void> {
    if (this.#lost) throw this.#lost.error
    await this.#flushAll()
    const received = await this.#hashing.finish(this.#written)
    if (received !== this.#digest) throw new DigestMismatchError(this.#digest, received)
    // A small file is written to the disk with the others, before its model is recorded.
    if (this.#size >= WORTH_RESUMING_BYTES) await this.#file.datasync()
    await this.#file.close()
    await chmod(this.#path, 0o444)
    await moveInto(this.#path, blob)
    removeUnique(noteOf(this.#path))
  }

  /** Gives it up, and leaves what came to whoever comes next. */
  async abandon(): Promise<void> {
    if (this.received === 0 || this.#size < WORTH_RESUMING_BYTES) return this.discard()
    // A disk that is full refuses what is pending: what was written before can still be gone on with.
    await this.#flushAll().catch(() => undefined)
    await this.#hashing.restart()
    await this.#file.close()
    await this.#note(undefined)
  }

  async discard(): Promise<void> {
    await this.#flushing
    await this.#hashing.restart()
    await this.#file.close()
    removeUnique(this.#path)
    removeUnique(noteOf(this.#path))
  }

  #begin(at: number): Pending {
    const pending = { start: at, end: at, chunks: [] }
    this.#pending.push(pending)
    return pending
  }

  async #flushAll(): Promise<void> {
    await this.#flushing
    while (this.#pending[0]) await this.#flush(this.#pending[0])
    if (this.#lost) throw this.#lost.error
  }

  /** Has it written while more comes, one piece after the other. What the disk refuses, the next write throws. */
  async #flushLater(pending: Pending): Promise<void> {
    // What comes after it, also from another connection, is another piece.
    this.#pending = this.#pending.filter((other) => other !== pending)
    const before = this.#flushing
    this.#flushing = before.then(() => this.#flush(pending)).catch(() => undefined)
    // No more than a piece waits, however slow the disk is.
    await before
  }

  async #flush(pending: Pending): Promise<void> {
    this.#pending = this.#pending.filter((other) => other !== pending)
    try {
      await this.#put(pending)
      this.#hashing.wrote(this.#written)
    } catch (error) {
      this.#lost ??= { error }
      throw error
    }
  }

  async #put({ start, end, chunks }: Pending): Promise<void> {
    // Whoever takes it over must not mistake a gap for content: the note says so before there is one.
    if (this.#noted === 0 && start > this.#written.endOf(0)) await this.#note(thisProcess(), { hasGaps: true })
    const { bytesWritten } = await this.#file.writev(chunks, start)
    // A disk that fills up answers with a short count before it answers with an error.
    if (bytesWritten < end - start) {
      const message = `Only ${bytesWritten} of ${end - start} bytes could be written: is the disk full?`
      throw Object.assign(new Error(message), { code: 'ENOSPC' })
    }
    this.#written.add({ start, end })
    this.#syncLater(bytesWritten)
    if (this.#noted > 0 && this.#written.bytes - this.#noted >= NOTE_EVERY_BYTES) await this.#note(thisProcess())
  }

  /** Has the disk write while more comes: at the end little is left to wait for. */
  #syncLater(bytes: number): void {
    this.#unsynced += bytes
    if (this.#unsynced < SYNC_AT_BYTES || this.#isSyncing) return
    this.#unsynced = 0
    this.#isSyncing = true
    const done = () => {
      this.#isSyncing = false
    }
    // What fails here fails again, and is thrown, at the end.
    void this.#file.datasync().then(done, done)
  }

  /** Says who writes the file (nobody, when it was given up), and which parts of it are there where that is not plain. */
  async #note(
    owner: object | undefined,
    { hasGaps = this.#written.endOf(0) < this.#written.bytes } = {},
  ): Promise<void> {
    if (this.#size < WORTH_RESUMING_BYTES) return
    const { parts, bytes } = this.#written
    if (hasGaps) this.#noted = Math.max(bytes, 1)
    await writeNote(this.#path, { ...owner, etag: this.#etag, ...(this.#noted > 0 && { written: parts }) })
  }
}
