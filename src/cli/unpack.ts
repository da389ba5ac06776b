import type { UnpackedEntry } from '../cache/unpack.ts'
import { formatDuration, formatSize } from '../config/units.ts'
import { interrupted } from './interruption.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { entryJson, printJson } from './show/json.ts'
import { printLines, printNotes } from './show/print.ts'
import { atCommit } from './show/text.ts'

/** Restores packed models, by default all. */
export async function unpack(names: string[], options: GlobalOptions & { dryRun?: boolean }): Promise<number> {
  const { dryRun } = options
  const { cache } = await openCache(options, { needsWriting: dryRun !== true })
  const named = names.length > 0 ? await cache.find(...names) : undefined
  const unpacked = await cache.unpack(named, { dryRun, signal: interrupted })
  if (options.json) printJson({ dryRun: dryRun ?? false, models: unpacked.map(resultJson) })
  else print(unpacked, dryRun ?? false)
  return unpacked.some(({ error }) => error) ? 1 : 0
}

function resultJson({ entry, bytes, restoreMs, error }: UnpackedEntry): object {
  return { ...entryJson(entry), bytes, restoreMs, error: error?.toJSON() ?? null }
}

function print(unpacked: UnpackedEntry[], dryRun: boolean): void {
  for (const { entry, bytes, restoreMs, error } of unpacked) {
    if (error) printNotes(error.message)
    else if (dryRun) printLines(`Would restore ${atCommit(entry)}: ${formatSize(bytes)}`)
    else printLines(`Restored ${atCommit(entry)}: ${formatSize(bytes)} in ${formatDuration(restoreMs ?? 0)}`)
  }
  if (unpacked.length === 0) printLines('No model is packed.')
}
