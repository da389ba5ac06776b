import type { Digest } from '../../model/digest.ts'
import { type Entry, type EntryFile, entryKey } from '../../model/entry.ts'
import type { RepoId } from '../../model/repo-id.ts'

export interface Limits {
  /** Bytes. */
  maxSize: number
  /** Milliseconds since the last use. */
  maxAge: number
}

export interface Removals {
  /** Unused for longer than `maxAge`. */
  expired: Entry[]
  /** Removed for size, least recently used first. */
  evicted: Entry[]
}

/**
 * Decides what has to go: what expired, then the least recently used until the rest fits. Pinned and leased entries
 * stay. Blobs that two snapshots of a repo share count once and are freed with the last of them. Pure.
 */
export function planRemovals(
  entries: Entry[],
  limits: Limits,
  { now, leased }: { now: number; leased: ReadonlySet<string> },
): Removals {
  const isFree = (entry: Entry) => !entry.pinned && !leased.has(entryKey(entry))
  const isExpired = (entry: Entry) => now - Date.parse(entry.lastAccessDate) > limits.maxAge && isFree(entry)
  const expired: Entry[] = []
  const rest: Entry[] = []
  for (const entry of entries) (isExpired(entry) ? expired : rest).push(entry)
  return { expired, evicted: planEvictions(rest, limits.maxSize, isFree) }
}

/** Which entries have to go so that the rest fits. */
function planEvictions(entries: Entry[], maxSize: number, isFree: (entry: Entry) => boolean): Entry[] {
  const disk = new DiskUse(entries)
  const candidates: Entry[] = []
  for (const entry of byLastAccess(entries.filter(isFree))) {
    if (disk.bytes <= maxSize) break
    disk.remove(entry)
    candidates.push(entry)
  }
  // An entry stays after all when its removal freed nothing, as others share its blobs, or when it fits beside the rest.
  const evicted = candidates.reverse().filter((entry) => {
    disk.add(entry)
    if (disk.bytes <= maxSize) return false
    disk.remove(entry)
    return true
  })
  return evicted.reverse()
}

/** Bytes on disk of all entries: a blob counts once in its repo, and once in all where it is one file. */
export function totalSize(entries: Entry[]): number {
  return new DiskUse(entries).bytes
}

/** What a set of entries takes on disk, kept up as entries come and go. Only entries of the set may be added. */
class DiskUse {
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

/** A file on disk that entries refer to. */
interface Blob {
  repo: RepoId
  size: number
  users: number
}

/** Tells which file on disk is behind a repo's digest: `optimize` makes one file of those that several repos have. */
class Blobs {
  readonly #entries: Entry[]
  readonly #first = new Map<Digest, Blob>()
  readonly #others = new Map<string, Blob>()
  #inodes: Inodes | undefined

  constructor(entries: Entry[]) {
    this.#entries = entries
  }

  of(repo: RepoId, { digest, size }: EntryFile): Blob {
    const first = this.#first.get(digest)
    // Most digests belong to one repo: inodes are compared only for the others.
    if (first?.repo === repo) return first
    if (!first) return keep(this.#first, digest, { repo, size, users: 0 })
    this.#inodes ??= inodesOf(this.#entries)
    const file = fileOf(this.#inodes, repo, digest)
    if (file === fileOf(this.#inodes, first.repo, digest)) return first
    return this.#others.get(file) ?? keep(this.#others, file, { repo, size, users: 0 })
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

/** The least recently used first. Each date is parsed once. */
function byLastAccess(entries: Entry[]): Entry[] {
  const dated = entries.map((entry) => ({ entry, at: Date.parse(entry.lastAccessDate) }))
  return dated.sort((a, b) => a.at - b.at).map(({ entry }) => entry)
}
