import { existsSync } from 'node:fs'
import { formatAge, formatSize } from '../../../config/units.ts'
import { type Entry, entrySize } from '../../../model/entry.ts'
import { modelLabel } from '../../../model/model.ts'
import { originals } from '../../../platform/originals.ts'
import type { CacheContext } from '../../context/context.ts'
import { migrateEntries } from '../../lookup/migrate-entry.ts'
import { isHubLinked, isOurs } from '../../store/cache-folder.ts'
import { trimCompiledCode } from '../../store/compile-cache.ts'
import { sweepIncoming } from '../../store/downloads/leftovers.ts'
import { stopMaintenance } from '../../store/locks/stop-maintenance.ts'
import { markMaintained } from '../../store/maintained.ts'
import type { Removals } from '../limits.ts'
import { recordStrangers } from '../record-strangers.ts'
import { deleteEntries, type Removed } from '../remove.ts'
import { removeOrphans } from '../remove-orphans.ts'
import { lookDue } from './look-due.ts'
import { maintainAlone } from './maintain-alone.ts'

/** The entries that were removed, by reason: `expired` for their age, `evicted` for size. */
export type Maintained = Removed & Removals

// The end of a run waits for all of it for some seconds.
const WAIT_MS = 2_000

export interface MaintainOptions {
  /** True when the run of the cache is over: its models are not protected any more. */
  isOver?: boolean
  /** Another run that is over. */
  exceptRun?: string
  /** A write of the metadata that has begun. The limits wait for it, and the other steps do not. */
  written?: Promise<unknown>
  /** Ends the work with an error. */
  signal?: AbortSignal
  /** The largest number of models that one write of the metadata removes. Default: all. */
  atOnce?: number
}

/**
 * Enforces `maxAge` and `maxSize`. Offline nothing expires, because it could not be downloaded again. Models of the cache's own
 * run are protected, too, unless `isOver` says that the run is over. Stops a process that maintains the cache in the background. Does
 * nothing if another process maintains the cache for long.
 */
export async function maintain(context: CacheContext, options: MaintainOptions = {}): Promise<Maintained> {
  const { written, signal } = options
  const work = async () => {
    const { layout } = context
    if (!mayMaintain(context)) return undefined
    stopMaintenance(layout)
    return maintainAlone(layout, { atMostMs: WAIT_MS, signal }, () => maintainWhole(context, options))
  }
  const [removed] = await Promise.all([written ? nextTurn().then(work) : work(), written])
  return removed ?? nothingRemoved()
}

/** As `maintain`, for a process that holds the lock of maintenance. */
export async function maintainWhole(context: CacheContext, options: MaintainOptions): Promise<Maintained> {
  const { isOver = false, written, signal, atOnce } = options
  const { layout } = context
  await Promise.all([tidy(context, options), written])
  const exceptRun = isOver ? context.options.run?.id : options.exceptRun
  // Before the limits: what is packed takes less space, and may stay.
  const { toPack } = await lookDue(context, exceptRun)
  const pack = async () =>
    (await import('../packing/pack-unused.ts')).packUnused(context, toPack, { exceptRun, signal })
  const isAllPacked = toPack.length === 0 || (await pack())
  signal?.throwIfAborted()
  // After it: chunks of an earlier packing that was interrupted need not be written again.
  if (isAllPacked) await freeUnused(context, signal)
  const removed = nothingRemoved()
  await enforceInSteps(context, await lookDue(context, exceptRun), removed, { exceptRun, signal, atOnce })
  signal?.throwIfAborted()
  if (isAllPacked) markMaintained(layout, { isPackingLeft: false })
  return removed
}

/** False for a folder that has no marker or is refused. */
export function mayMaintain({ layout, refusal }: CacheContext): boolean {
  return isOurs(layout) && !refusal
}

export function nothingRemoved(): Maintained {
  return { entries: [], freedBytes: 0, expired: [], evicted: [] }
}

/** Lets a write hand its bytes to the disk. Without it, the synchronous steps of `tidy` come first, and the disk has nothing to do. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => originals.setImmediate(resolve))
}

/** The steps that need no limits. They change no use that a run records. */
async function tidy(context: CacheContext, { isOver, signal }: MaintainOptions): Promise<void> {
  if (!mayMaintain(context)) return
  if (!isOver) await context.gatherClaims()
  await removeLeftovers(context)
  await scanHub(context, signal)
  await settlePacks(context, signal)
}

/** Removes what other processes left in `incoming`, and compiled code that no worker needs. */
export async function removeLeftovers({ layout }: CacheContext): Promise<void> {
  await sweepIncoming(layout)
  await trimCompiledCode(layout)
}

/** Looks at each repo: records the models that another tool wrote, and removes what no model needs. */
export async function scanHub(context: CacheContext, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  if (!isHubLinked(context.layout)) await recordStrangers(context)
  await migrateEntries(context, signal)
  const metadata = await context.metadata()
  await removeOrphans(context, [...(await metadata.all()).values()], { signal })
}

/** Finishes what killed processes left of packed models. */
export async function settlePacks(context: CacheContext, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  if (existsSync(context.layout.cold)) await (await import('../packing/tend-packs.ts')).settlePacked(context, signal)
}

/** Frees what no packed model needs, if something became unused. */
export async function freeUnused(context: CacheContext, signal?: AbortSignal): Promise<void> {
  const { cold, coldLock } = context.layout
  signal?.throwIfAborted()
  if (!existsSync(cold) && !existsSync(coldLock)) return
  const { freePacks, mayHaveUnused } = await import('../packing/tend-packs.ts')
  if (mayHaveUnused(context.layout)) await freePacks(context, { signal })
}

interface StepOptions {
  exceptRun?: string
  signal?: AbortSignal
  /** The largest number of models of one step, and their bytes. Default: all. */
  atOnce?: number
  bytesAtOnce?: number
  /** Called after the first step, which `signal` does not end. Only the signal of the cache ends it. */
  afterFirst?: () => void
}

/** Removes the planned entries, some at once, and adds to `removed` what is done. Throws when `signal` aborts. */
export async function enforceInSteps(
  context: CacheContext,
  { expired, evicted }: Removals,
  removed: Maintained,
  { exceptRun, signal: given, afterFirst, ...most }: StepOptions,
): Promise<void> {
  const isForAge = new Set(expired)
  for (const [at, next] of inSteps([...expired, ...evicted], most).entries()) {
    const signal = at === 0 && afterFirst ? context.options.signal : given
    signal?.throwIfAborted()
    const [old, large] = [true, false].map((age) => next.filter((entry) => isForAge.has(entry) === age))
    const step = { expired: old ?? [], evicted: large ?? [] }
    const done = await enforceLimits(context, step, exceptRun, signal)
    removed.entries.push(...done.entries)
    removed.freedBytes += done.freedBytes
    removed.expired.push(...done.expired)
    removed.evicted.push(...done.evicted)
    if (at === 0) afterFirst?.()
  }
}

function inSteps(entries: Entry[], { atOnce = Infinity, bytesAtOnce = Infinity }: StepOptions): Entry[][] {
  const steps: Entry[][] = []
  let bytes = 0
  for (const entry of entries) {
    const step = steps.at(-1)
    bytes += entrySize(entry)
    if (step && step.length < atOnce && bytes <= bytesAtOnce) step.push(entry)
    else {
      steps.push([entry])
      bytes = entrySize(entry)
    }
  }
  return steps
}

/** Removes the planned entries. */
export async function enforceLimits(
  context: CacheContext,
  { expired, evicted }: Removals,
  exceptRun?: string,
  signal?: AbortSignal,
): Promise<Maintained> {
  const removed = await deleteEntries(context, [...expired, ...evicted], exceptRun, signal)
  const gone = new Set(removed.entries)
  const isGone = (entry: Entry) => gone.has(entry)
  const age = (entry: Entry) => formatAge(originals.now() - Date.parse(entry.lastAccessDate))
  for (const entry of expired.filter(isGone))
    context.debug(`🗑️ Removed expired model: ${modelLabel(entry)} (age: ${age(entry)})`)
  for (const entry of evicted.filter(isGone))
    context.debug(`🗑️ Removed model to stay within ${formatSize(context.options.maxSize)}: ${modelLabel(entry)}`)
  return { ...removed, expired: expired.filter(isGone), evicted: evicted.filter(isGone) }
}
