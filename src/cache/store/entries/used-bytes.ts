import type { Digest } from '../../../model/digest.ts'
import { bytesOf, type Entry, type EntryFile, isPacked } from '../../../model/entry.ts'
import type { RepoId } from '../../../model/repo-id.ts'

/** Bytes on disk of all entries. A blob that several entries of a repo share counts once, and so does a file that several repos share. */
export function totalSize(entries: Entry[]): number {
  return new UsedBytes(entries).bytes
}

/** Counts the bytes on disk of a set of entries. Begins with all `entries`; they can be removed, and added again. */
export class UsedBytes {
  bytes = 0
  readonly #blobs: Blobs

  constructor(entries: Entry[]) {
    this.#blobs = new Blobs(entries)
    for (const entry of entries) this.add(entry)
  }

  add({ repo, files }: Entry): void {
    for (const file of files.values()) {
      const blob = this.#blobs.of(repo, file)
      if (blob.users++ === 0) this.bytes += blob.size
    }
  }

  remove({ repo, files }: Entry): void {
    for (const file of files.values()) {
      const blob = this.#blobs.of(repo, file)
      if (--blob.users === 0) this.bytes -= blob.size
    }
  }
}

/** A file on disk that `users` files of entries refer to. */
interface Blob {
  repo: RepoId
  size: number
  users: number
}

/** Finds the file on disk for a digest in a repo. Several repos may share one file, because `optimize` links equal files. */
class Blobs {
  readonly #entries: Entry[]
  readonly #first = new Map<Digest, Blob>()
  readonly #others = new Map<string, Blob>()
  #inodes: Inodes | undefined

  constructor(entries: Entry[]) {
    this.#entries = entries
  }

  of(repo: RepoId, file: EntryFile): Blob {
    const { digest } = file
    const size = bytesOf(file)
    // Beside the packed copy of one commit, the file of another one may be on disk.
    if (isPacked(file)) {
      const key = `packed ${repo} ${digest}`
      return this.#others.get(key) ?? keep(this.#others, key, { repo, size, users: 0 })
    }
    const first = this.#first.get(digest)
    // Most digests belong to one repo: inodes are compared only for the others.
    if (first?.repo === repo) return first
    if (!first) return keep(this.#first, digest, { repo, size, users: 0 })
    this.#inodes ??= inodesOf(this.#entries)
    const onDisk = fileOf(this.#inodes, repo, digest)
    if (onDisk === fileOf(this.#inodes, first.repo, digest)) return first
    return this.#others.get(onDisk) ?? keep(this.#others, onDisk, { repo, size, users: 0 })
  }
}

function keep<K>(blobs: Map<K, Blob>, key: K, blob: Blob): Blob {
  blobs.set(key, blob)
  return blob
}

function fileOf(inodes: Inodes, repo: RepoId, digest: Digest): string {
  return `${inodes.get(repo)?.get(digest) ?? repo} ${digest}`
}

/** By repo and digest. A file that was never verified has no inode here. */
type Inodes = Map<RepoId, Map<Digest, string>>

function inodesOf(entries: Entry[]): Inodes {
  const inodes: Inodes = new Map()
  for (const { repo, files } of entries) {
    const own = inodes.get(repo) ?? new Map<Digest, string>()
    inodes.set(repo, own)
    for (const { digest, ino } of files.values()) if (ino !== '0') own.set(digest, ino)
  }
  return inodes
}
