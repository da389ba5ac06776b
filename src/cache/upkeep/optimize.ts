import { existsSync } from 'node:fs'
import { type Entry, entryKey } from '../../model/entry.ts'
import type { CacheContext } from '../context/context.ts'
import { migrateEntries } from '../lookup/migrate-entry.ts'
import { isHubLinked, isOurs } from '../store/cache-folder.ts'
import { trimCompiledCode } from '../store/compile-cache.ts'
import { type Amount, sweepIncoming } from '../store/downloads/leftovers.ts'
import { totalSize } from '../store/entries/used-bytes.ts'
import { stopMaintenance } from '../store/locks/stop-maintenance.ts'
import { compact } from './compact.ts'
import type { Removals } from './limits.ts'
import { linkShared } from './link-shared.ts'
import { lookDue } from './maintenance/look-due.ts'
import { enforceLimits } from './maintenance/maintain.ts'
import { maintainAlone } from './maintenance/maintain-alone.ts'
import { recordStrangers } from './record-strangers.ts'
import { removeOrphans } from './remove-orphans.ts'

// Another tool links a blob within less than an hour after it wrote the blob. The maintenance after a run waits a day. Here a user
// asked for space, so an hour is enough.
const ALONE_FOR_MS = 3_600_000

export interface OptimizeOptions {
  /** Only returns what each step would free. */
  dryRun?: boolean
  signal?: AbortSignal
  /** Milliseconds: a blob without a record and a snapshot is removed when it is older. Default: an hour. */
  aloneForMs?: number
}

/** What each step freed. */
export interface Optimized {
  /** Temporary files, and unfinished downloads that no process resumed for a day. */
  leftovers: Amount
  /** Models that were unused for longer than `maxAge`. */
  expired: { entries: Entry[] }
  /** Models that were removed to stay within `maxSize`. */
  evicted: { entries: Entry[] }
  /** Bytes of expired and evicted models. */
  modelBytes: number
  /** Blobs to which no record and no snapshot refers. */
  orphans: Amount
  /** Files that were replaced by links to the same file of another repo. */
  linked: Amount
  /** Records and stored answers of models that are not cached any more. */
  bookkeeping: Amount
  /** Compiled code of modules, of versions of Node.js that no run used for 30 days. */
  code: Amount
  /** Pack files and lists of chunks that were removed, or written again without chunks that no model needs. */
  packs: Amount
  freedBytes: number
}

/**
 * Frees what no model needs, and what exceeds the limits, step by step. Each step can be interrupted. Waits for another process that
 * maintains the cache, and stops one in the background.
 */
export async function optimize(context: CacheContext, options: OptimizeOptions = {}): Promise<Optimized> {
  if (context.refusal) throw context.refusal
  if (!isOurs(context.layout)) return nothing()
  if (options.dryRun) return optimizeWhole(context, options)
  stopMaintenance(context.layout)
  const work = () => optimizeWhole(context, options)
  return (await maintainAlone(context.layout, { signal: options.signal }, work)) ?? nothing()
}

async function optimizeWhole(context: CacheContext, options: OptimizeOptions): Promise<Optimized> {
  const { dryRun, signal, aloneForMs = ALONE_FOR_MS } = options
  const steps = nothing()
  steps.leftovers = await sweepIncoming(context.layout, options)
  signal?.throwIfAborted()
  if (!dryRun && !isHubLinked(context.layout)) await recordStrangers(context)
  if (!dryRun) await migrateEntries(context)
  const plan = await lookDue(context)
  const removed = dryRun ? await estimate(context, plan) : await enforceLimits(context, plan, undefined, signal)
  const gone = new Set(removed.entries)
  const isGone = (entry: Entry) => gone.has(entry)
  steps.expired.entries = plan.expired.filter(isGone)
  steps.evicted.entries = plan.evicted.filter(isGone)
  steps.modelBytes = removed.freedBytes
  const recorded = await allEntries(context)
  steps.orphans = await removeOrphans(context, recorded, { aloneForMs, dryRun, signal })
  // In a dry run, the removed entries are still recorded. They are no reason to link a file.
  const goneKeys = new Set(removed.entries.map(entryKey))
  const left = recorded.filter((entry) => !goneKeys.has(entryKey(entry)))
  steps.linked = await linkShared(context, left, options)
  steps.bookkeeping = await compact(context, options)
  steps.code = await trimCompiledCode(context.layout, options)
  if (existsSync(context.layout.cold)) steps.packs = await optimizePacks(context, options)
  const { leftovers, orphans, linked, bookkeeping, code, packs } = steps
  const amounts = [leftovers, orphans, linked, bookkeeping, code, packs].map(({ bytes }) => bytes)
  steps.freedBytes = amounts.reduce((sum, bytes) => sum + bytes, steps.modelBytes)
  return steps
}

function nothing(): Optimized {
  const none = () => ({ files: 0, bytes: 0 })
  return {
    ...{ leftovers: none(), expired: { entries: [] }, evicted: { entries: [] }, modelBytes: 0 },
    ...{ orphans: none(), linked: none(), bookkeeping: none(), code: none(), packs: none(), freedBytes: 0 },
  }
}

async function optimizePacks(context: CacheContext, options: OptimizeOptions): Promise<Amount> {
  const { freePacks, settlePacked } = await import('./packing/tend-packs.ts')
  if (!options.dryRun) await settlePacked(context)
  return freePacks(context, { ...options, isAwaited: true })
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
