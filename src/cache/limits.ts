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
  const evicted: Entry[] = []
  for (const entry of rest.filter(isFree).sort(byLastAccess)) {
    if (totalSize(rest.filter((other) => !evicted.includes(other))) <= limits.maxSize) break
    evicted.push(entry)
  }
  return { expired, evicted }
}

/** Bytes on disk of all entries: a blob counts once in its repo. */
export function totalSize(entries: Entry[]): number {
  const blobs = new Map(
    entries.flatMap(({ repo, files }) => [...files.values()].map(({ digest, size }) => [`${repo} ${digest}`, size])),
  )
  return [...blobs.values()].reduce((sum, size) => sum + size, 0)
}

function byLastAccess(a: Entry, b: Entry): number {
  return Date.parse(a.lastAccessDate) - Date.parse(b.lastAccessDate)
}
