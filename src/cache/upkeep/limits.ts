import { type Entry, entryKey, entrySize } from '../../model/entry.ts'
import { UsedBytes } from '../store/entries/used-bytes.ts'

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
 * Decides which entries are removed: those that expired, then the least recently used ones until the rest fits. Pinned and
 * leased entries stay. A blob that two snapshots of a repo share counts once, and is freed with the last of them. Pure.
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

/** Chooses entries to remove so that the rest fits. */
function planEvictions(entries: Entry[], maxSize: number, isFree: (entry: Entry) => boolean): Entry[] {
  // Without what they share. Nearly always that fits already, and is added up in a tenth of the time.
  if (entries.reduce((sum, entry) => sum + entrySize(entry), 0) <= maxSize) return []
  const disk = new UsedBytes(entries)
  const candidates: Entry[] = []
  for (const entry of byLastAccess(entries.filter(isFree))) {
    if (disk.bytes <= maxSize) break
    disk.remove(entry)
    candidates.push(entry)
  }
  // The last candidates come first: an entry stays when it fits beside the rest, or when its removal frees nothing because
  // other entries share its blobs.
  const evicted = candidates.reverse().filter((entry) => {
    disk.add(entry)
    if (disk.bytes <= maxSize) return false
    disk.remove(entry)
    return true
  })
  return evicted.reverse()
}

/** Sorts entries, the least recently used first. Each date is parsed once. */
function byLastAccess(entries: Entry[]): Entry[] {
  const dated = entries.map((entry) => ({ entry, at: Date.parse(entry.lastAccessDate) }))
  return dated.sort((a, b) => a.at - b.at).map(({ entry }) => entry)
}
