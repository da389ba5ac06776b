import type { Cleaned } from '../cache/upkeep/clean.ts'
import { isAll } from '../cache/upkeep/clean-plan.ts'
import { formatSize } from '../config/units.ts'
import { count } from '../report/words.ts'
import { interrupted } from './interruption.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { type Confirmation, confirm } from './show/confirm.ts'
import { entryJson, printJson } from './show/json.ts'
import { printLines } from './show/print.ts'
import { atCommit } from './show/text.ts'

export interface CleanFlags extends GlobalOptions, Confirmation {
  expired?: boolean
  /** Milliseconds. */
  olderThan?: number
  incomplete?: boolean
  /** The number of last runs to look at. True when the flag has no number. */
  unused?: number | true
  pinned?: boolean
}

const DEFAULT_RUNS = 10

/** Removes all models, or those that at least one of the flags selects. */
export async function clean(flags: CleanFlags): Promise<number> {
  const { expired, incomplete, pinned, olderThan, unused, dryRun } = flags
  const choice = { expired, incomplete, pinned, olderThan, unusedRuns: unused === true ? DEFAULT_RUNS : unused }
  const { cache } = await openCache(flags, { needsOptions: expired === true, needsWriting: dryRun !== true })
  // The question names what would be removed.
  const planned = await cache.clean({ ...choice, dryRun: true })
  const isNothing = planned.removed.length + planned.incomplete.files + planned.code.files === 0
  if (isNothing || dryRun) return show(planned, flags, isNothing)
  const scope = isAll(choice) ? 'all' : 'these'
  const question = `Remove ${scope}: ${what(planned)}?`
  if (!(await confirm(question, flags))) return 1
  return show(await cache.clean({ ...choice, signal: interrupted }), flags, false)
}

function show(cleaned: Cleaned, flags: CleanFlags, isNothing: boolean): number {
  const { removed, kept, incomplete, incompleteHeld, code, runs, freedBytes } = cleaned
  const dryRun = flags.dryRun === true
  if (flags.json) {
    const held = kept.map(({ entry, why }) => ({ ...entryJson(entry), why }))
    printJson({ dryRun, removed: removed.map(entryJson), kept: held, incomplete, incompleteHeld, code, freedBytes })
    return 0
  }
  for (const entry of removed) printLines(`${dryRun ? 'Would remove' : 'Removed'} ${atCommit(entry)}`)
  for (const { entry, why } of kept) printLines(`Kept ${atCommit(entry)}: ${why}`)
  if (incompleteHeld > 0)
    printLines(`Kept ${count(incompleteHeld, 'unfinished download')}: another process may be writing to it`)
  if (flags.unused !== undefined && runs === 0)
    printLines('No run has been recorded, so no model is known to be unused.')
  if (isNothing) printLines('There is nothing to remove.')
  else printLines(`${dryRun ? 'Would free up to' : 'Freed'} ${formatSize(freedBytes)}: ${what(cleaned)}`)
  return 0
}

function what({ removed, incomplete, code }: Cleaned): string {
  const parts = [
    ...(removed.length > 0 || incomplete.files + code.files === 0 ? [count(removed.length, 'model')] : []),
    ...(incomplete.files > 0
      ? [`${count(incomplete.files, 'unfinished download')} (${formatSize(incomplete.bytes)})`]
      : []),
    ...(code.files > 0 ? [`compiled code (${formatSize(code.bytes)})`] : []),
  ]
  return parts.join(' and ')
}
