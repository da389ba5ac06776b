import { type Entry, entryKey, entrySize, isPacked } from '../../../model/entry.ts'
import { modelKey } from '../../../model/model.ts'
import { groupBy } from '../../../platform/group-by.ts'

// Reading a larger one takes all of the time that maintenance has, so it would never be packed.
const LARGEST_BYTES = 2 ** 31

/**
 * The entries that maintenance packs. Pinned and leased models stay, and so do very large ones, which only the command `pack` packs. Pure.
 */
export function chooseUnused(
  entries: Entry[],
  times: { now: number; unusedForMs: number },
  leased: ReadonlySet<string>,
): Entry[] {
  const mayPack = (entry: Entry) => !entry.pinned && entrySize(entry) <= LARGEST_BYTES && !leased.has(entryKey(entry))
  return chooseToPack(entries, times).filter(mayPack)
}

/** The entries that are not packed and were not used for long enough, in the order in which they are packed. Pure. */
export function chooseToPack(entries: Entry[], { now, unusedForMs }: { now: number; unusedForMs: number }): Entry[] {
  const commits = groupBy(entries, revisionOf)
  const idle = entries.flatMap((entry) => {
    const usedAt = Date.parse(entry.lastAccessDate)
    const isChosen = now - usedAt >= unusedForMs && ![...entry.files.values()].every(isPacked)
    return isChosen ? [{ entry, usedAt, rank: isSuperseded(entry, commits.get(revisionOf(entry)) ?? []) ? 0 : 1 }] : []
  })
  return idle.sort((a, b) => a.rank - b.rank || a.usedAt - b.usedAt).map(({ entry }) => entry)
}

/** Equal for commits of the same revision of a repo at the same endpoint. */
function revisionOf(entry: Entry): string {
  return `${modelKey(entry)} ${entry.endpoint}`
}

/** True when a later one of these commits is cached. */
function isSuperseded({ commit, cachedDate }: Entry, commits: Entry[]): boolean {
  return commits.some((other) => other.commit !== commit && other.cachedDate > cachedDate)
}
