import { existsSync } from 'node:fs'
import { copyEntry, type Entry, entryKey, hasPacked } from '../../../model/entry.ts'
import type { CacheContext } from '../../context/context.ts'
import { isWritable } from '../../store/cache-folder.ts'
import type { Amount } from '../../store/downloads/leftovers.ts'
import { fromRecord } from '../../store/entries/record.ts'
import type { Layout } from '../../store/layout.ts'
import type { Hold } from '../../store/locks/lock.ts'
import { type Compacted, compactPacks, hasUnusedRecipes } from '../../store/packs/compact-packs.ts'
import {
  isListedAsPacked,
  markRemoved,
  packedModelName,
  readPackedModel,
  readPackedModels,
  removePackedModel,
  writePackedModel,
} from '../../store/packs/packed-models.ts'
import { endWriting, isUnfinished } from '../../store/packs/unfinished.ts'
import { withColdLock, withFreeColdLock, withFreeRepoLock } from '../../store/removal/aside.ts'
import { leaveHub } from './leave-hub.ts'

const NOTHING = { files: 0, bytes: 0 }

/** True if something may be unused in the pack files. A lock that is there may be that of a killed process. */
export function mayHaveUnused(layout: Layout): boolean {
  return isWritable(layout) && (existsSync(layout.coldLock) || isUnfinished(layout) || hasUnusedRecipes(layout))
}

interface FreeOptions {
  dryRun?: boolean
  signal?: AbortSignal
  /** True: waits for a process that packs. Otherwise the next run does the work. */
  isAwaited?: boolean
}

/** Frees what no packed model needs in the pack files, and corrects the sizes in the metadata. */
export async function freePacks(context: CacheContext, options: FreeOptions = {}): Promise<Amount> {
  const { layout } = context
  const work = async (hold: Hold) => {
    const compacted = await compactPacks(layout, hold, options)
    if (!compacted) context.warn('A packed model could not be read, so nothing is removed from the pack files.')
    if (!compacted || options.dryRun) return compacted
    await recordShares(context, compacted.shares)
    endWriting(layout)
    return compacted
  }
  const freed = options.isAwaited ? withColdLock(layout, work, options.signal) : withFreeColdLock(layout, work)
  const { files, bytes } = (await freed) ?? NOTHING
  return { files, bytes }
}

async function recordShares(context: CacheContext, shares: Compacted['shares']): Promise<void> {
  const metadata = await context.metadata()
  const corrected = [...(await metadata.all()).values()].map((entry) => withShares(context.layout, entry, shares))
  if (corrected.every((entry) => entry === undefined)) return
  await metadata.update((all) => {
    for (const [key, entry] of all) all.set(key, withShares(context.layout, entry, shares) ?? entry)
  })
}

/** Undefined when all sizes are right. */
function withShares(layout: Layout, entry: Entry, shares: Compacted['shares']): Entry | undefined {
  const own = hasPacked(entry) ? shares.get(packedModelName(layout, entry)) : undefined
  if (!own) return undefined
  const corrected = copyEntry(entry)
  let isSame = true
  for (const file of corrected.files.values()) {
    const share = own.get(file.digest)
    if (file.packedBytes === undefined || share === undefined) continue
    isSame &&= file.packedBytes === share
    file.packedBytes = share
  }
  return isSame ? undefined : corrected
}

/**
 * Finishes what killed processes left of packed models: compares the list of packed models with the metadata. Repos whose locks are held
 * are left for the next time.
 */
export async function settlePacked(context: CacheContext, signal?: AbortSignal): Promise<void> {
  if (!isWritable(context.layout)) return
  const metadata = await context.metadata()
  for (const { model } of readPackedModels(context.layout)) {
    signal?.throwIfAborted()
    const listed = model && fromRecord(model.record)
    if (!listed) continue
    const current = (await metadata.all()).get(entryKey(listed))
    if (current && hasPacked(current) && model.isSettled && !model.isRemoved) continue
    await withFreeRepoLock(context.layout, listed.repo, (hold) => settleOne(context, hold, listed))
  }
}

async function settleOne(context: CacheContext, hold: Hold, { repo, snapshot }: Entry): Promise<void> {
  const { layout } = context
  const metadata = await context.metadata()
  const key = entryKey({ repo, snapshot })
  const model = readPackedModel(layout, { repo, snapshot })
  const listed = model && fromRecord(model.record)
  if (!model || !listed) return
  const all = await metadata.all()
  const current = all.get(key)
  const isStale = current ? !hasPacked(current) : model.isRemoved
  if (isStale) return removePackedModel(layout, listed)
  // The metadata was lost, or was made again by a version without packed models.
  if (!current)
    await metadata.update((entries) => {
      if (!entries.has(key) && isListedAsPacked(layout, listed)) entries.set(key, listed)
    })
  if (model.isRemoved) await markRemoved(layout, listed, false, () => hold.isOurs())
  if (model.isSettled) return
  const siblings = [...all.values()].filter((other) => other.repo === repo && other.snapshot !== snapshot)
  await leaveHub(layout, hold, current ?? listed, siblings)
  await writePackedModel(layout, listed, { ...model, isSettled: true, isRemoved: false }, () => hold.isOurs())
}
