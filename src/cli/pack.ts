import type { PackedEntry } from '../cache/upkeep/packing/pack-entries.ts'
import { formatSize } from '../config/units.ts'
import { hasPacked } from '../model/entry.ts'
import { percent } from '../report/words.ts'
import { interrupted } from './interruption.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { entryJson, printJson } from './show/json.ts'
import { printLines, printNotes } from './show/print.ts'
import { atCommit } from './show/text.ts'

// Without names, a model that was just used stays as it is.
const UNUSED_FOR_MS = 2 * 86_400_000

export interface PackFlags extends GlobalOptions {
  olderThan?: number
  dryRun?: boolean
}

/** Packs models. A model that is named but was not packed makes the command fail; one that is packed already does not. */
export async function pack(names: string[], options: PackFlags): Promise<number> {
  const { cache, options: settings } = await openCache(options, { needsWriting: options.dryRun !== true })
  const named = names.length > 0 ? await cache.find(...names) : undefined
  const { dryRun, olderThan = named ? undefined : (settings.packAfter ?? UNUSED_FOR_MS) } = options
  const chosen = named ?? (await cache.list()).filter(({ pinned }) => !pinned)
  const packed = await cache.pack(chosen, { dryRun, signal: interrupted, unusedForMs: olderThan })
  if (options.json) printJson({ dryRun: dryRun ?? false, models: packed.map(resultJson) })
  else print(packed, dryRun ?? false)
  const wasAsked = (one: PackedEntry) => named !== undefined && one.reason !== undefined && !hasPacked(one.entry)
  return packed.some(wasAsked) ? 1 : 0
}

function resultJson({ entry, bytes, packedBytes, reason }: PackedEntry): object {
  return { ...entryJson(entry), bytes, packedBytes, isPacked: reason === undefined, reason: reason ?? null }
}

function print(packed: PackedEntry[], dryRun: boolean): void {
  for (const { entry, bytes, packedBytes, reason } of packed) {
    if (reason !== undefined) printNotes(`${atCommit(entry)} was not packed. ${reason}`)
    else printLines(`${dryRun ? 'Would pack' : 'Packed'} ${atCommit(entry)}: ${sizes(bytes, packedBytes)}`)
  }
  const done = packed.filter(({ reason }) => reason === undefined)
  const bytes = done.reduce((sum, one) => sum + one.bytes, 0)
  const packedBytes = done.reduce((sum, one) => sum + one.packedBytes, 0)
  if (done.length === 0) printLines('There is nothing to pack.')
  else printLines(`${dryRun ? 'Would free' : 'Freed'} ${formatSize(Math.max(0, bytes - packedBytes))}`)
}

function sizes(bytes: number, packedBytes: number): string {
  return `${formatSize(bytes)} take ${formatSize(packedBytes)} (${percent(bytes === 0 ? 0 : packedBytes / bytes)})`
}
