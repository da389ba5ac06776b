import type { Entry } from '../model/entry.ts'
import { originals } from '../platform/originals.ts'
import type { CacheContext } from './context/context.ts'
import { stopMaintenance } from './store/locks/stop-maintenance.ts'
import { chooseToPack } from './upkeep/packing/choose-to-pack.ts'
import { type PackEntriesOptions, type PackedEntry, packEntries } from './upkeep/packing/pack-entries.ts'
import { freePacks } from './upkeep/packing/tend-packs.ts'
import { recordStrangers } from './upkeep/record-strangers.ts'

export interface PackOptions extends Omit<PackEntriesOptions, 'isCompressed'> {
  /** Milliseconds. Only models that nobody used for longer than this are packed. Default: 0, which packs all. */
  unusedForMs?: number
}

/** Packs models: superseded ones first, then those that were not used for the longest time. */
export async function packModels(
  context: CacheContext,
  entries: Entry[],
  { unusedForMs = 0, ...options }: PackOptions = {},
): Promise<PackedEntry[]> {
  if (context.refusal) throw context.refusal
  // It may hold the lock of the pack files.
  stopMaintenance(context.layout)
  if (!options.dryRun) await recordStrangers(context)
  const chosen = chooseToPack(entries, { now: originals.now(), unusedForMs })
  const isCompressed = context.options.compression !== 'none'
  const packed = await packEntries(context, chosen, { ...options, isCompressed })
  if (packed.some(({ packedBytes }) => packedBytes > 0)) await freePacks(context, options)
  return packed
}
