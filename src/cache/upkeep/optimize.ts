import { type Entry, entryKey } from '../../model/entry.ts'
import type { CacheContext } from '../context/context.ts'
import { migrateEntries } from '../lookup/migrate-entry.ts'
import { isHubLinked, isOurs } from '../store/cache-folder.ts'
import { type Amount, sweepIncoming } from '../store/leftovers.ts'
import { totalSize } from '../store/used-bytes.ts'
import { compact } from './compact.ts'
import type { Removals } from './limits.ts'
import { linkShared } from './link-shared.ts'
import { enforceLimits, planLimits } from './maintain.ts'
import { recordStrangers } from './record-strangers.ts'
import { removeOrphans } from './remove-orphans.ts'

// The user asked for it and waits. An hour is longer than another tool needs between a blob and its link.
const ALONE_FOR_MS = 3_600_000

export interface OptimizeOptions {
  /** Only says what each step would free. */
  dryRun?: boolean
  signal?: AbortSignal
  /** Milliseconds that a blob has to have been alone to go. Default: an hour. */
  aloneForMs?: number
}

/** What each step freed. */
export interface Optimized {
  /** Temporary files and partial downloads that nobody went on with for a day. */
  leftovers: Amount
  /** Models beyond `maxAge`. */
  expired: { entries: Entry[] }
  /** Models beyond `maxSize`. */
  evicted: { entries: Entry[] }
  /** Bytes of expired and evicted models. */
  modelBytes: number
  /** Blobs that no record and no snapshot stands for. */
  orphans: Amount
  /** Files that are now links to the same file of another repo. */
  linked: Amount
  /** Records and stored answers of models that are gone. */
  bookkeeping: Amount
  freedBytes: number
}

/** Frees what can be freed without losing anything that is wanted, step by step; each can be interrupted. */
export async function optimize(context: CacheContext, options: OptimizeOptions = {}): Promise<Optimized> {
  const { dryRun, signal, aloneForMs = ALONE_FOR_MS } = options
  const steps = nothing()
  if (context.refusal) throw context.refusal
  if (!isOurs(context.layout)) return steps
  steps.leftovers = await sweepIncoming(context.layout, options)
  signal?.throwIfAborted()
  if (!dryRun && !isHubLinked(context.layout)) await recordStrangers(context)
  if (!dryRun) await migrateEntries(context)
  const plan = await planLimits(context)
  const removed = dryRun ? await estimate(context, plan) : await enforceLimits(context, plan, undefined, signal)
  const gone = new Set(removed.entries)
  const isGone = (entry: Entry) => gone.has(entry)
  steps.expired.entries = plan.expired.filter(isGone)
  steps.evicted.entries = plan.evicted.filter(isGone)
  steps.modelBytes = removed.freedBytes
  const recorded = await allEntries(context)
  steps.orphans = await removeOrphans(context, recorded, { aloneForMs, dryRun, signal })
  // Those that would be gone by now are no reason to link anything.
  const goneKeys = new Set(removed.entries.map(entryKey))
  const left = recorded.filter((entry) => !goneKeys.has(entryKey(entry)))
  steps.linked = await linkShared(context, left, options)
  steps.bookkeeping = await compact(context, options)
  const { leftovers, orphans, linked, bookkeeping } = steps
  const amounts = [leftovers, orphans, linked, bookkeeping].map(({ bytes }) => bytes)
  steps.freedBytes = amounts.reduce((sum, bytes) => sum + bytes, steps.modelBytes)
  return steps
}

function nothing(): Optimized {
  const none = () => ({ files: 0, bytes: 0 })
  return {
    ...{ leftovers: none(), expired: { entries: [] }, evicted: { entries: [] }, modelBytes: 0 },
    ...{ orphans: none(), linked: none(), bookkeeping: none(), freedBytes: 0 },
  }
}

async function allEntries(context: CacheContext): Promise<Entry[]> {
  const metadata = await context.metadata()
  return [...(await metadata.all()).values()]
}

async function estimate(context: CacheContext, { expired, evicted }: Removals) {
  const all = await allEntries(context)
  const entries = [...expired, ...evicted]
  const gone = new Set(entries.map(entryKey))
  const left = all.filter((entry) => !gone.has(entryKey(entry)))
  return { entries, freedBytes: totalSize(all) - totalSize(left) }
}
