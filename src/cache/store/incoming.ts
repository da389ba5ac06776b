import { chmod, type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DigestMismatchError } from '../../model/broken-download.ts'
import { blobNameOf, type Digest, Hasher } from '../../model/digest.ts'
import { originals } from '../../platform/originals.ts'
import { uniqueBeside } from './atomic-write.ts'
import type { Layout } from './layout.ts'

// Few large writes: one for each 64 kB network chunk would cost more than the network on a fast link.
const WRITE_AT_BYTES = 1 << 20

/** A file on its way in: hashed while it is written, never visible as a model, published only when it is right. */
export class IncomingFile {
  readonly #path: string
  readonly #file: FileHandle
  readonly #digest: Digest
  readonly #hasher: Hasher
  #pending: Uint8Array[] = []
  #pendingBytes = 0

  private constructor(path: string, file: FileHandle, digest: Digest, size: number) {
    this.#path = path
    this.#file = file
    this.#digest = digest
    this.#hasher = new Hasher(digest, size)
  }

  static async create(layout: Layout, digest: Digest, size: number): Promise<IncomingFile> {
    await mkdir(layout.incoming, { recursive: true, mode: 0o700 })
    const path = uniqueBeside(join(layout.incoming, blobNameOf(digest)), 'incomplete')
    return new IncomingFile(path, await open(path, 'wx', 0o600), digest, size)
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#hasher.update(chunk)
    this.#pending.push(chunk)
    this.#pendingBytes += chunk.byteLength
    if (this.#pendingBytes >= WRITE_AT_BYTES) await this.#flush()
  }

  /** Moves the file to its place when its digest is right. Throws `DigestMismatchError`. */
  async publish(blob: string): Promise<void> {
    await this.#flush()
    await this.#file.close()
    const received = this.#hasher.digest()
    if (received !== this.#digest) throw new DigestMismatchError(this.#digest, received)
    await chmod(this.#path, 0o444)
    await mkdir(dirname(blob), { recursive: true, mode: 0o700 })
    await rename(this.#path, blob)
  }

  async discard(): Promise<void> {
    await this.#file.close()
    await rm(this.#path, { force: true })
  }

  async #flush(): Promise<void> {
    const chunks = this.#pending
    const bytes = this.#pendingBytes
    this.#pending = []
    this.#pendingBytes = 0
    if (bytes === 0) return
    const { bytesWritten } = await this.#file.writev(chunks)
    // A disk that fills up answers with a short count before it answers with an error.
    if (bytesWritten !== bytes)
      throw Object.assign(new Error(`Only ${bytesWritten} of ${bytes} bytes could be written: is the disk full?`), {
        code: 'ENOSPC',
      })
  }
}

const ABANDONED_AFTER_MS = 10 * 60_000

/** Removes what processes that died left behind: who still writes, on whatever machine, changed the file lately. */
export async function sweepIncoming(layout: Layout): Promise<void> {
  for (const name of await readdir(layout.incoming)) {
    if (!name.endsWith('.incomplete')) continue
    const path = join(layout.incoming, name)
    // Gone by now: published, or swept by another.
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }))
    if (originals.now() - mtimeMs > ABANDONED_AFTER_MS) await rm(path, { force: true })
  }
}
