import { type Pruned, pruneRemote } from '../../cache/prune-remote.ts'
import { formatAge, formatSize } from '../../config/units.ts'
import { count } from '../../report/words.ts'
import { interrupted } from '../interruption.ts'
import { type GlobalOptions, openCache } from '../open-cache.ts'
import { type Confirmation, confirm } from '../show/confirm.ts'
import { printJson } from '../show/json.ts'
import { printLines, printNotes } from '../show/print.ts'
import { addressOf } from './address.ts'

export interface PruneFlags extends GlobalOptions, Confirmation {
  /** Milliseconds. */
  olderThan: number
}

/** Removes objects of the remote that were last written longer ago. The exit code is 1 if some could not be removed, and if the user refuses. */
export async function prune(flags: PruneFlags): Promise<number> {
  const { olderThan: olderThanMs, dryRun = false } = flags
  const { cache } = await openCache(flags)
  const remote = addressOf(cache)
  // The question names what would be removed.
  const planned = await pruneRemote(cache.context, { olderThanMs, dryRun: true, signal: interrupted })
  const { objects } = total(planned)
  if (objects === 0 || dryRun) return show(planned, { remote, ...flags, dryRun })
  const age = formatAge(olderThanMs)
  if (!(await confirm(`Remove from ${remote} what was last written more than ${age} ago: ${what(planned)}?`, flags)))
    return 1
  const pruned = await pruneRemote(cache.context, { olderThanMs, signal: interrupted })
  return show(pruned, { remote, ...flags, dryRun })
}

function show(pruned: Pruned, { remote, dryRun, json }: { remote: string; dryRun: boolean; json?: boolean }): number {
  const { removed, kept, foreign, failure } = pruned
  const all = total(pruned)
  if (json) printJson({ remote, dryRun, ...all, removed, kept, foreign, failure: failure ?? null })
  else {
    if (all.objects === 0) printLines(`There is nothing to remove from ${remote}.`)
    else printLines(`${dryRun ? 'Would remove' : 'Removed'} from ${remote}: ${what(pruned)}`)
    printLines(`${dryRun ? 'Would keep' : 'Kept'} ${count(kept.objects, 'object')} (${formatSize(kept.bytes)})`)
    if (foreign > 0)
      printLines(`Left alone, because vitest-model-cache did not write them: ${count(foreign, 'object')}`)
    if (failure !== undefined) printNotes(`The rest was not removed: ${failure} Call the command again.`)
  }
  return failure === undefined ? 0 : 1
}

function total({ removed }: Pruned): { objects: number; bytes: number } {
  const amounts = Object.values(removed)
  return {
    objects: amounts.reduce((sum, { objects }) => sum + objects, 0),
    bytes: amounts.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

/** `12 objects (1.2 GiB; 9 model files, 1 list of files)` */
function what(pruned: Pruned): string {
  const { objects, bytes } = total(pruned)
  const { blob, map, bundle, listing, signature, ref } = pruned.removed
  const names = [
    [blob.objects, 'model file'],
    [map.objects, 'chunk map'],
    [bundle.objects, 'bundle of small files', 'bundles of small files'],
    [listing.objects, 'list of files', 'lists of files'],
    [signature.objects, 'signature'],
    [ref.objects, 'ref'],
  ] as const
  const parts = names.flatMap(([number, one, many]) => (number > 0 ? [count(number, one, many)] : []))
  return `${count(objects, 'object')} (${formatSize(bytes)}; ${parts.join(', ')})`
}
