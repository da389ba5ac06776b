import { type Entry, entryKey } from '../../model/entry.ts'
import { totalSize } from '../store/entries/used-bytes.ts'

/** Chooses models to remove: those to which at least one condition applies. Without a condition, all models. */
export interface CleanChoice {
  /** Unused for longer than the cache's `maxAge`. */
  expired?: boolean
  /** Unused for longer than this, in milliseconds. */
  olderThan?: number
  /** Not used in the last runs of each project. The value is the number of those runs. */
  unusedRuns?: number
  /** True: pinned models that are chosen are removed, too. */
  pinned?: boolean
  /** Unfinished downloads that no process is writing. Without it, they are removed only when all models are chosen. */
  incomplete?: boolean
  /** Only models among these. */
  among?: Entry[]
}

/** What the last runs used. */
export interface Usage {
  /** Models as `repo@commit`, of any endpoint. */
  used: ReadonlySet<string>
  /** When the newest of the runs began, in ISO 8601. Undefined when there is no run. */
  lastRun: string | undefined
}

export type KeptBecause = 'pinned' | 'in use'

export interface CleanPlan {
  remove: Entry[]
  /** Models that were chosen but stay. */
  kept: { entry: Entry; why: KeptBecause }[]
  /** Bytes that become free. Blobs that other models share stay. */
  bytes: number
}

/** True when the choice has no condition. */
export function isAll({ expired, olderThan, unusedRuns, incomplete }: CleanChoice): boolean {
  return !expired && olderThan === undefined && unusedRuns === undefined && !incomplete
}

/** Decides which models are removed. Models of live runs stay, and pinned models stay unless `pinned` is set. Pure. */
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

/** A model that was cached after the last run began could not be used by it. Without a run, nothing counts as unused. */
function isUnused(entry: Entry, { used, lastRun }: Usage): boolean {
  return (
    lastRun !== undefined &&
    Date.parse(entry.cachedDate) < Date.parse(lastRun) &&
    !used.has(`${entry.repo}@${entry.commit}`)
  )
}
