import { type Entry, entryKey } from '../model/entry.ts'

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
  return new DiskUse(entries).bytes
}

/** What a set of entries takes on disk, kept up as entries come and go. Nobody comes who was not there at first. */
class DiskUse {
  bytes = 0
  readonly #users = new Map<string, number>()
  /** The file behind each blob: `optimize` makes one of those that several repos have. */
  readonly #files = new Map<string, string>()

  constructor(entries: Entry[]) {
    for (const { repo, files } of entries)
      for (const { digest, ino } of files.values())
        if (ino !== '0') this.#files.set(`${repo} ${digest}`, `${ino} ${digest}`)
    for (const entry of entries) this.add(entry)
  }

  add(entry: Entry): void {
    for (const [blob, size] of this.#blobsOf(entry)) {
      const users = this.#users.get(blob) ?? 0
      if (users === 0) this.bytes += size
      this.#users.set(blob, users + 1)
    }
  }

  remove(entry: Entry): void {
    for (const [blob, size] of this.#blobsOf(entry)) {
      const users = (this.#users.get(blob) ?? 1) - 1
      if (users === 0) this.bytes -= size
      this.#users.set(blob, users)
    }
  }

  #blobsOf({ repo, files }: Entry): Map<string, number> {
    const blobs = [...files.values()].map(({ digest, size }): [string, number] => [`${repo} ${digest}`, size])
    return new Map(blobs.map(([blob, size]) => [this.#files.get(blob) ?? blob, size]))
  }
}

function byLastAccess(a: Entry, b: Entry): number {
  return Date.parse(a.lastAccessDate) - Date.parse(b.lastAccessDate)
}
