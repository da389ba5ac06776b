import { createReadStream } from 'node:fs'
import { chmod, type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DigestMismatchError } from '../../model/broken-download.ts'
import { blobNameOf, type Digest, Hasher } from '../../model/digest.ts'
import { originals } from '../../platform/originals.ts'
import { uniqueBeside } from './atomic-write.ts'
import type { Layout } from './layout.ts'
import { isOwner, stateOf, thisProcess } from './owner.ts'

// Few large writes: one for each 64 kB network chunk would cost more than the network on a fast link.
const WRITE_AT_BYTES = 1 << 20
// A smaller file is sooner downloaded anew than looked after.
const WORTH_RESUMING_BYTES = 1 << 20
const ABANDONED_AFTER_MS = 24 * 3_600_000
// A writer on another machine changes its file more often than this.
const SILENT_AFTER_MS = 10 * 60_000

/**
 * A file on its way in: hashed while it is written, never visible as a model, published only when it is right. What
 * came of one that was given up or whose process died is taken over by whoever comes next: a note beside it
 * (`<file>.json`) says who writes it, and by which ETag the server knew it.
 */
export class IncomingFile {
  readonly #path: string
  readonly #file: FileHandle
  readonly #digest: Digest
  readonly #size: number
  #hasher: Hasher
  #received: number
  #etag: string | undefined
  #pending: Uint8Array[] = []
  #pendingBytes = 0

  private constructor(path: string, file: FileHandle, expected: { digest: Digest; size: number }, etag?: string) {
    this.#path = path
    this.#file = file
    this.#digest = expected.digest
    this.#size = expected.size
    this.#hasher = new Hasher(expected.digest, expected.size)
    this.#received = 0
    this.#etag = etag
  }

  /** Goes on with what somebody left of this blob, else begins. Called under the repo's lock. */
  static async claim(layout: Layout, digest: Digest, size: number): Promise<IncomingFile> {
    await mkdir(layout.incoming, { recursive: true, mode: 0o700 })
    const path = uniqueBeside(join(layout.incoming, blobNameOf(digest)), 'incomplete')
    const etag = await takeOver(layout, digest, path)
    const incoming = new IncomingFile(path, await open(path, 'a', 0o600), { digest, size }, etag)
    await incoming.#note(thisProcess())
    await incoming.#readBack()
    return incoming
  }

  /** Bytes that are there, from this process or another. */
  get received(): number {
    return this.#received
  }

  /** How the server knew the content that these bytes are of. */
  get etag(): string | undefined {
    return this.#etag
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#hasher.update(chunk)
    this.#received += chunk.byteLength
    this.#pending.push(chunk)
    this.#pendingBytes += chunk.byteLength
    if (this.#pendingBytes >= WRITE_AT_BYTES) await this.#flush()
  }

  /** Forgets what came; what comes now has this ETag. */
  async restart(etag?: string): Promise<void> {
    this.#pending = []
    this.#pendingBytes = 0
    this.#received = 0
    this.#hasher = new Hasher(this.#digest, this.#size)
    await this.#file.truncate(0)
    if (etag === this.#etag) return
    this.#etag = etag
    await this.#note(thisProcess())
  }

  /** Moves the file to its place when its digest is right. Throws `DigestMismatchError`. */
  async publish(blob: string): Promise<void> {
    await this.#flush()
    const received = this.#hasher.digest()
    if (received !== this.#digest) throw new DigestMismatchError(this.#digest, received)
    await this.#file.close()
    await chmod(this.#path, 0o444)
    await mkdir(dirname(blob), { recursive: true, mode: 0o700 })
    await rename(this.#path, blob)
    await rm(noteOf(this.#path), { force: true })
  }

  /** Gives it up, and leaves what came to whoever comes next. */
  async abandon(): Promise<void> {
    if (this.#received === 0 || this.#size < WORTH_RESUMING_BYTES) return this.discard()
    // A disk that is full refuses what is pending: what was written before can still be gone on with.
    await this.#flush().catch(() => undefined)
    await this.#file.close()
    await this.#note(undefined)
  }

  async discard(): Promise<void> {
    await this.#file.close()
    await rm(this.#path, { force: true })
    await rm(noteOf(this.#path), { force: true })
  }

  async #flush(): Promise<void> {
    const chunks = this.#pending
    const bytes = this.#pendingBytes
    this.#pending = []
    this.#pendingBytes = 0
    if (bytes === 0) return
    const { bytesWritten } = await this.#file.writev(chunks)
    // A disk that fills up answers with a short count before it answers with an error.
    if (bytesWritten === bytes) return
    const message = `Only ${bytesWritten} of ${bytes} bytes could be written: is the disk full?`
    throw Object.assign(new Error(message), { code: 'ENOSPC' })
  }

  /** Hashes what another process left. */
  async #readBack(): Promise<void> {
    const { size } = await this.#file.stat()
    if (size > this.#size) return this.restart()
    if (size === 0) return
    for await (const chunk of createReadStream(this.#path, { highWaterMark: WRITE_AT_BYTES }))
      this.#hasher.update(chunk)
    this.#received = size
  }

  /** Says who writes the file; nobody, when it was given up. */
  async #note(owner: object | undefined): Promise<void> {
    if (this.#size < WORTH_RESUMING_BYTES) return
    await writeFile(noteOf(this.#path), JSON.stringify({ ...owner, etag: this.#etag }), { mode: 0o600 })
  }
}

/** Removes what nobody went on with for a day. */
export async function sweepIncoming(layout: Layout): Promise<void> {
  for (const name of await readdir(layout.incoming)) {
    if (!/\.incomplete(\.json)?$/.test(name)) continue
    const path = join(layout.incoming, name)
    if ((await silenceOf(path)) > ABANDONED_AFTER_MS) await rm(path, { force: true })
  }
}

function noteOf(path: string): string {
  return `${path}.json`
}

/**
 * Moves what somebody left of a blob to `path`, and gives its ETag. Never takes what a live process
 * may still write to: what it writes later would end up in a file that was verified.
 */
async function takeOver(layout: Layout, digest: Digest, path: string): Promise<string | undefined> {
  const prefix = `${blobNameOf(digest)}.`
  const names = (await readdir(layout.incoming)).filter(
    (name) => name.startsWith(prefix) && name.endsWith('.incomplete'),
  )
  for (const name of names) {
    const left = join(layout.incoming, name)
    const note = await readNote(left)
    if (!note.isFree) continue
    try {
      await rename(left, path)
    } catch {
      // Somebody else was faster.
      continue
    }
    await rm(noteOf(left), { force: true })
    return note.etag
  }
  return undefined
}

async function readNote(path: string): Promise<{ isFree: boolean; etag?: string }> {
  try {
    const note: unknown = JSON.parse(await readFile(noteOf(path), 'utf8'))
    if (typeof note !== 'object' || note === null) return { isFree: false }
    const etag = 'etag' in note && typeof note.etag === 'string' ? note.etag : undefined
    if (!isOwner(note)) return { isFree: true, etag }
    const state = stateOf(note)
    return { isFree: state === 'dead' || (state === 'unknown' && (await silenceOf(path)) > SILENT_AFTER_MS), etag }
  } catch {
    // No note, or half of one: its writer was killed in between, and nobody can say whether it lives.
    return { isFree: (await silenceOf(path)) > SILENT_AFTER_MS }
  }
}

/** Milliseconds since a file was last written to; 0 when it is gone: published, or swept by another. */
async function silenceOf(path: string): Promise<number> {
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }))
  return Math.max(0, originals.now() - mtimeMs)
}
