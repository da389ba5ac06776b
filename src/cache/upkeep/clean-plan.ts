import { type Entry, entryKey } from '../../model/entry.ts'
import { totalSize } from '../store/used-bytes.ts'

/** Which models are to go: those that any of these means, and all when there is none. */
export interface CleanChoice {
  /** Unused for longer than the cache's `maxAge`. */
  expired?: boolean
  /** Milliseconds: unused for longer. */
  olderThan?: number
  /** Not asked for in so many last runs of each project. */
  unusedRuns?: number
  /** Pinned ones too, of those that are chosen. */
  pinned?: boolean
  /** Partial downloads that nobody is writing; without it, only when all is to go. */
  incomplete?: boolean
  /** Only of these. */
  among?: Entry[]
}

/** What the last runs say. */
export interface Usage {
  /** What they asked for, as `repo@commit`: of whichever endpoint. */
  used: ReadonlySet<string>
  /** ISO 8601: when the newest of them began; undefined without a run. */
  lastRun: string | undefined
}

export type KeptBecause = 'pinned' | 'in use'

export interface CleanPlan {
  remove: Entry[]
  /** Chosen, and kept all the same. */
  kept: { entry: Entry; why: KeptBecause }[]
  /** What goes takes so many bytes that nothing else needs. */
  bytes: number
}

/** True when nothing narrows the choice. */
export function isAll({ expired, olderThan, unusedRuns, incomplete }: CleanChoice): boolean {
  return !expired && olderThan === undefined && unusedRuns === undefined && !incomplete
}

/** Decides which models go. Live runs keep theirs; pinned ones stay unless they are named. Pure. */
export function planClean(
  entries: Entry[],
  choice: CleanChoice,
  state: { now: number; maxAge: number; leased: ReadonlySet<string>; usage: Usage },
): CleanPlan {
  const among = choice.among && new Set(choice.among.map(entryKey))
  const chosen = entries.filter((entry) => (among?.has(entryKey(entry)) ?? true) && isChosen(entry, choice, state))
  const kept = chosen.flatMap((entry): CleanPlan['kept'] => {
    if (state.leased.has(entryKey(entry))) return [{ entry, why: 'in use' }]
    return entry.pinned && !choice.pinned ? [{ entry, why: 'pinned' }] : []
  })
  const stays = new Set(kept.map(({ entry }) => entry))
  const remove = chosen.filter((entry) => !stays.has(entry))
  const gone = new Set(remove)
  const bytes = totalSize(entries) - totalSize(entries.filter((entry) => !gone.has(entry)))
  return { remove, kept, bytes }
}

function isChosen(
  entry: Entry,
  choice: CleanChoice,
  { now, maxAge, usage }: { now: number; maxAge: number; usage: Usage },
): boolean {
  if (isAll(choice)) return true
  const idle = now - Date.parse(entry.lastAccessDate)
  if (choice.expired && idle > maxAge) return true
  if (choice.olderThan !== undefined && idle > choice.olderThan) return true
  return choice.unusedRuns !== undefined && isUnused(entry, usage)
}

/** What was brought in since the last run had no chance to be asked for, and without a run nothing is known. */
function isUnused(entry: Entry, { used, lastRun }: Usage): boolean {
  return (
    lastRun !== undefined &&
    Date.parse(entry.cachedDate) < Date.parse(lastRun) &&
    !used.has(`${entry.repo}@${entry.commit}`)
  )
}
