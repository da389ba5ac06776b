import type { Digest } from '../model/digest.ts'
import { type Entry, entryKey } from '../model/entry.ts'
import type { RepoId } from '../model/repo-id.ts'

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
  const expired = entries.filter((entry) => isFree(entry) && now - Date.parse(entry.lastAccessDate) > limits.maxAge)
  const rest = entries.filter((entry) => !expired.includes(entry))
  const disk = new DiskUse(rest)
  const candidates: Entry[] = []
  for (const entry of rest.filter(isFree).sort(byLastAccess)) {
    if (disk.bytes <= limits.maxSize) break
    disk.remove(entry)
    candidates.push(entry)
  }
  // One that freed nothing, as its blobs are shared with what stays, or that fits after all, is not sacrificed.
  const evicted = candidates.reverse().filter((entry) => {
    disk.add(entry)
    if (disk.bytes <= limits.maxSize) return false
    disk.remove(entry)
    return true
  })
  return { expired, evicted: evicted.reverse() }
}

/** Bytes on disk of all entries: a blob counts once in its repo, and once in all where it is one file. */
export function totalSize(entries: Entry[]): number {
  const firstRepos = new Map<Digest, RepoId>()
  const counted = new Set<string>()
  // Most blobs are of one repo: what is behind the others is looked for when there is one.
  let inodes: Inodes | undefined
  let bytes = 0
  for (const { repo, files } of entries)
    for (const { digest, size } of files.values()) {
      const first = firstRepos.get(digest)
      if (first === repo) continue
      if (first === undefined) firstRepos.set(digest, repo)
      else {
        inodes ??= inodesOf(entries)
        counted.add(fileOf(inodes, first, digest))
        const file = fileOf(inodes, repo, digest)
        if (counted.has(file)) continue
        counted.add(file)
      }
      bytes += size
    }
  return bytes
}

/** A file on disk that entries stand for. */
interface Blob {
  size: number
  users: number
}

/** What a set of entries takes on disk, kept up as entries come and go. Nobody comes who was not there at first. */
class DiskUse {
  bytes = 0
  readonly #blobs = new Map<Entry, Set<Blob>>()

  constructor(entries: Entry[]) {
    const inodes = inodesOf(entries)
    const known = new Map<string, Blob>()
    for (const entry of entries) {
      const own = new Set<Blob>()
      for (const { digest, size } of entry.files.values()) {
        const file = fileOf(inodes, entry.repo, digest)
        const blob = known.get(file) ?? { size, users: 0 }
        known.set(file, blob)
        own.add(blob)
      }
      this.#blobs.set(entry, own)
      this.add(entry)
    }
  }

  add(entry: Entry): void {
    for (const blob of this.#blobs.get(entry) ?? []) {
      if (blob.users === 0) this.bytes += blob.size
      blob.users++
    }
  }

  remove(entry: Entry): void {
    for (const blob of this.#blobs.get(entry) ?? []) {
      blob.users--
      if (blob.users === 0) this.bytes -= blob.size
    }
  }
}

/** The file behind a repo's blob: `optimize` makes one of those that several repos have. */
function fileOf(inodes: Inodes, repo: RepoId, digest: Digest): string {
  return `${inodes.get(repo)?.get(digest) ?? repo} ${digest}`
}

/** By repo and digest. What never was verified has none. */
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

function byLastAccess(a: Entry, b: Entry): number {
  return Date.parse(a.lastAccessDate) - Date.parse(b.lastAccessDate)
}
