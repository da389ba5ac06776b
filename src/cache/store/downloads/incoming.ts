import { constants } from 'node:fs'
import { chmod, type FileHandle, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { DigestMismatchError } from '../../../model/broken-download.ts'
import { blobNameOf, type Digest } from '../../../model/digest.ts'
import { type Span, Spans } from '../../../model/spans.ts'
import { moveInto } from '../atomic-write.ts'
import type { Layout } from '../layout.ts'
import { thisProcess } from '../locks/owner.ts'
import { uniqueBeside } from '../own-names.ts'
import { removeUnique } from '../remove-own.ts'
import { noteOf, takeOver, writeNote } from './leftovers.ts'
import { RunningDigest } from './running-digest.ts'

// Chunks of 64 kB are collected into larger writes: on a fast link, a write for each chunk would cost more than the network.
const WRITE_AT_BYTES = 1 << 20
// Downloading a smaller file again costs less than writing a note about it.
const WORTH_RESUMING_BYTES = 1 << 20
// More frequent syncs would make the disk write small pieces.
const SYNC_AT_BYTES = 16 << 20
// The most bytes that a kill can lose of a download over several connections.
const NOTE_EVERY_BYTES = 8 << 20

/** Adjacent chunks that are not written yet. */
interface Pending extends Span {
  chunks: Uint8Array[]
}

/**
 * An unfinished download. It is hashed while it is written, is never visible as a model, and is published only when its digest is
 * right. Its parts may arrive in any order. After an abandoned download, or when the process died, the next download of the same
 * blob continues with the bytes that are there.
 */
export class IncomingFile {
  readonly #path: string
  readonly #file: FileHandle
  readonly #digest: Digest
  readonly #size: number
  readonly #hashing: RunningDigest
  /** The bytes that arrived, whether written or still pending. */
  #received: Spans
  #written: Spans
  /** How many bytes were written when the note last listed them. 0 while the note lists no parts. */
  #noted = 0
  /** Bytes that wait to be written: one piece for each connection. */
  #pending: Pending[] = []
  /** Resolves when no write is under way. Never rejects. */
  #flushing: Promise<void> = Promise.resolve()
  /** Bytes that were written since the last sync. */
  #unsynced = 0
  #isSyncing = false
  #etag: string | undefined
  /** The error of a failed write. Bytes that arrived, and may be hashed already, are then missing on disk. */
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

  /** Continues an unfinished download of this blob when there is one, else begins a new one. `size` in bytes. The caller holds the repo's lock. */
  static async claim(layout: Layout, digest: Digest, size: number): Promise<IncomingFile> {
    await mkdir(layout.incoming, { recursive: true, mode: 0o700 })
    const path = uniqueBeside(join(layout.incoming, blobNameOf(digest)), 'incomplete')
    const left = await takeOver(layout, digest, path)
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    // A file that is too long is emptied: its bytes beyond `size` would stay in the file.
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

  /** The number of bytes that have arrived, also in the process whose download this one continues. */
  get received(): number {
    return this.#received.bytes
  }

  /** The ETag of the content that these bytes belong to. */
  get etag(): string | undefined {
    return this.#etag
  }

  /** The missing parts, in order. */
  gaps(): Span[] {
    return this.#received.gaps(this.#size)
  }

  /**
   * Takes a chunk that belongs at byte `at`. Throws when this or an earlier write failed. A chunk of 1 MB or more is on the disk when the
   * next `write` returns, so its memory can be used again then.
   */
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

  /** Drops all bytes. The bytes that arrive from now on belong to the content with this ETag. */
  async restart(etag?: string): Promise<void> {
    this.#pending = []
    await this.#flushing
    const hadNoted = this.#noted > 0
    await this.#hashing.restart()
    // A file without content is not truncated: ext4 writes the whole of a truncated file to the disk when it is closed.
    if (this.#written.bytes > 0) await this.#file.truncate(0)
    this.#received = new Spans()
    this.#written = new Spans()
    this.#noted = 0
    if (etag === this.#etag && !hadNoted) return
    this.#etag = etag
    await this.#note(thisProcess())
  }

  /** Moves the file to the path `blob` when its digest is right. Throws `DigestMismatchError`, or the error of a failed write. */
  async publish(blob: string): Promise<void> {
    if (this.#lost) throw this.#lost.error
    await this.#flushAll()
    const received = await this.#hashing.finish(this.#written)
    if (received !== this.#digest) throw new DigestMismatchError(this.#digest, received)
    // Smaller files are synced together, before their model is recorded.
    if (this.#size >= WORTH_RESUMING_BYTES) await this.#file.datasync()
    await this.#file.close()
    await chmod(this.#path, 0o444)
    await moveInto(this.#path, blob)
    removeUnique(noteOf(this.#path))
  }

  /** Ends this download. The bytes stay for the next download of the blob, unless the file is too small for that. */
  async abandon(): Promise<void> {
    if (this.received === 0 || this.#size < WORTH_RESUMING_BYTES) return this.discard()
    // On a full disk the pending bytes can't be written. The bytes that were written before can still be continued.
    await this.#flushAll().catch(() => undefined)
    await this.#hashing.restart()
    await this.#file.close()
    await this.#note(undefined)
  }

  /** Ends this download and removes its file. */
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

  /** Writes a piece while more chunks arrive, after the piece before it. The next `write` throws the error of a failed one. */
  async #flushLater(pending: Pending): Promise<void> {
    // Chunks that arrive from now on belong to other pieces, also those of another connection.
    this.#pending = this.#pending.filter((other) => other !== pending)
    const before = this.#flushing
    this.#flushing = before.then(() => this.#flush(pending)).catch(() => undefined)
    // At most one piece waits in memory, however slow the disk is.
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
    // A later download that continues this file must not take a gap for content. So the note lists the parts before there is a gap.
    if (this.#noted === 0 && start > this.#written.endOf(0)) await this.#note(thisProcess(), { hasGaps: true })
    const { bytesWritten } = await this.#file.writev(chunks, start)
    // On a disk that becomes full, one write is too short before the next one fails.
    if (bytesWritten < end - start) {
      const message = `Only ${bytesWritten} of ${end - start} bytes could be written: is the disk full?`
      throw Object.assign(new Error(message), { code: 'ENOSPC' })
    }
    this.#written.add({ start, end })
    this.#syncLater(bytesWritten)
    if (this.#noted > 0 && this.#written.bytes - this.#noted >= NOTE_EVERY_BYTES) await this.#note(thisProcess())
  }

  /** Syncs to the disk while more bytes arrive, so that little is left to wait for at the end. */
  #syncLater(bytes: number): void {
    this.#unsynced += bytes
    if (this.#unsynced < SYNC_AT_BYTES || this.#isSyncing) return
    this.#unsynced = 0
    this.#isSyncing = true
    const done = () => {
      this.#isSyncing = false
    }
    // An error is ignored here, because the sync in `publish` fails with it again.
    void this.#file.datasync().then(done, done)
  }

  /**
   * Writes the note: which process writes the file (none, when the download was abandoned), and which parts of it are there when it
   * has gaps. A small file gets no note.
   */
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
