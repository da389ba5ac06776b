import { formatSize } from '../config/units.ts'
import { entrySize } from '../model/entry.ts'
import { count } from '../report/words.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { type Confirmation, confirm } from './show/confirm.ts'
import { entryJson, printJson } from './show/json.ts'
import { printLines } from './show/print.ts'
import { atCommit } from './show/text.ts'

/** Removes models, pinned ones included. If a name is not in the cache, nothing is removed. */
export async function remove(names: string[], options: GlobalOptions & Confirmation): Promise<number> {
  const { cache } = await openCache(options, { needsOptions: false, needsWriting: options.dryRun !== true })
  const entries = await cache.find(...names)
  const bytes = entries.reduce((sum, entry) => sum + entrySize(entry), 0)
  const question = `Remove ${count(entries.length, 'model')} (${entries.map(atCommit).join(', ')}, ${formatSize(bytes)})?`
  if (!(await confirm(question, options))) return 1
  const removed = options.dryRun ? { entries, freedBytes: bytes } : await cache.remove(...entries)
  if (options.json) {
    const { freedBytes } = removed
    printJson({ dryRun: options.dryRun ?? false, removed: removed.entries.map(entryJson), freedBytes })
    return 0
  }
  for (const entry of removed.entries) printLines(`${options.dryRun ? 'Would remove' : 'Removed'} ${atCommit(entry)}`)
  printLines(`${options.dryRun ? 'Would free up to' : 'Freed'} ${formatSize(removed.freedBytes)}`)
  return 0
}
