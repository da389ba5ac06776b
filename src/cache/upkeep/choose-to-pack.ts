import { type Entry, isPacked } from '../../model/entry.ts'
import { modelKey } from '../../model/model.ts'

/** The entries that are not packed and were not used for long enough, in the order in which they are packed. Pure. */
export function chooseToPack(entries: Entry[], { now, unusedForMs }: { now: number; unusedForMs: number }): Entry[] {
  const idle = entries.flatMap((entry) => {
    const usedAt = Date.parse(entry.lastAccessDate)
    const isChosen = now - usedAt >= unusedForMs && ![...entry.files.values()].every(isPacked)
    return isChosen ? [{ entry, usedAt, rank: isSuperseded(entry, entries) ? 0 : 1 }] : []
  })
  return idle.sort((a, b) => a.rank - b.rank || a.usedAt - b.usedAt).map(({ entry }) => entry)
}

/** True when a later commit of the same revision is cached. */
function isSuperseded(entry: Entry, entries: Entry[]): boolean {
  return entries.some(
    (other) =>
      modelKey(other) === modelKey(entry) &&
      other.endpoint === entry.endpoint &&
      other.commit !== entry.commit &&
      other.cachedDate > entry.cachedDate,
  )
}
