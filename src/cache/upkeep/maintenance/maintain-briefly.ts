import { linkedController, originals } from '../../../platform/originals.ts'
import type { CacheContext } from '../../context/context.ts'
import type { Layout } from '../../store/layout.ts'
import { withFreeLock } from '../../store/locks/lock.ts'
import { isMaintenanceOverdue, isPackingLeft, markMaintained, wasMaintainedWithin } from '../../store/maintained.ts'
import { lookDue } from './look-due.ts'
import {
  enforceInSteps,
  freeUnused,
  type Maintained,
  mayMaintain,
  nothingRemoved,
  removeLeftovers,
  scanHub,
  settlePacks,
} from './maintain.ts'

// The end of a run is to be delayed by less than 100 ms. To start a process takes 10 to 50 ms.
const WITHIN_MS = 70
const WITHIN_MS_IF_FOLLOWED = 50
// A write of the metadata takes some 30 ms with 1,000 models. Removing a large file takes as long.
const AT_ONCE = 8
const MOST_BYTES_AT_ONCE = 2 ** 30
// For each entry of the cache, looking at all repos takes this long, and so does a removal, which writes the metadata. Neither is begun
// without the time for it if another process can do it.
const MS_PER_ENTRY = 0.1
const SCANNED_AGAIN_AFTER_MS = 3_600_000
// Where no other process follows and maintenance was not complete for a day, it gets this time: else a large cache would get none.
const WITHIN_MS_IF_OVERDUE = 4_000

export interface BriefOptions {
  /** True when the run of the cache is over: its models are not protected any more. */
  isOver: boolean
  /** True if another process goes on with what is left. */
  isFollowed: boolean
  /** False if this run maintains the cache once more. Default true. */
  isLast?: boolean
  /** Default: 50 or 70 ms, or some seconds once a day. */
  withinMs?: number
}

/** What was removed, and whether something is left to do for the process that follows. */
export interface Briefly extends Maintained {
  isLeft: boolean
}

/**
 * Maintains the cache for a short time. Does nothing while another process maintains it. The limits come first. Packs nothing. If
 * something is to be packed and another process follows, that process also evicts: what is packed takes less space, and may stay. If no
 * process follows, at least one step of the limits is done, even if the disk is slow.
 */
export async function maintainBriefly(context: CacheContext, options: BriefOptions): Promise<Briefly> {
  const { layout } = context
  const done: Briefly = { ...nothingRemoved(), isLeft: false }
  if (!mayMaintain(context)) return done
  done.isLeft = mayBeLeft(layout) || isPackingLeft(layout)
  const isAlone = !options.isFollowed && options.isLast !== false
  const { controller, unlink } = linkedController(context.options.signal)
  const { signal } = controller
  const { withinMs = timeFor(layout, options.isFollowed, isAlone) } = options
  const endsAt = originals.monotonic() + withinMs
  let timer: NodeJS.Timeout | undefined
  const isLate = new Promise<true>((resolve) => {
    timer = originals.setTimeout(() => {
      controller.abort()
      resolve(true)
    }, withinMs)
  })
  let afterFirst: (() => void) | undefined
  const isBegun = isAlone && new Promise<void>((resolve) => (afterFirst = resolve))
  const begin = () => workBriefly(context, options, done, { signal, endsAt, afterFirst })
  const work = withFreeLock(layout.maintenanceLock, begin)
  // After the time, the step that was begun goes on, and nobody waits for it.
  work.catch(() => undefined)
  try {
    const hasLock = await Promise.race([work, Promise.all([isLate, isBegun])])
    if (!hasLock) done.isLeft = false
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    originals.clearTimeout(timer)
    unlink()
  }
  return { ...done, isLeft: done.isLeft && options.isFollowed }
}

function timeFor(layout: Layout, isFollowed: boolean, isAlone: boolean): number {
  if (isFollowed) return WITHIN_MS_IF_FOLLOWED
  return isAlone && isMaintenanceOverdue(layout) ? WITHIN_MS_IF_OVERDUE : WITHIN_MS
}

/** What was left by complete maintenance can't be done now, so no process is started for it. */
function mayBeLeft(layout: Layout): boolean {
  return !wasMaintainedWithin(layout, SCANNED_AGAIN_AFTER_MS)
}

async function workBriefly(
  context: CacheContext,
  { isOver, isFollowed, isLast = true }: BriefOptions,
  done: Briefly,
  { signal, endsAt, afterFirst }: { signal: AbortSignal; endsAt: number; afterFirst?: () => void },
): Promise<true> {
  const { layout, options } = context
  const isScanned = !mayBeLeft(layout)
  if (!isOver) await context.gatherClaims()
  const exceptRun = isOver ? options.run?.id : undefined
  const { expired, evicted, toPack } = await lookDue(context, exceptRun)
  const isLeftToPack = toPack.length > 0 && isFollowed && (!isScanned || isPackingLeft(layout))
  done.isLeft = isLeftToPack || (!isScanned && expired.length + evicted.length > 0)
  const metadata = await context.metadata()
  const isTooLate = async () => originals.monotonic() + (await metadata.all()).size * MS_PER_ENTRY > endsAt
  if (done.isLeft && isFollowed && (await isTooLate())) return true
  const removals = { expired, evicted: isLeftToPack ? [] : evicted }
  const most = { atOnce: AT_ONCE, bytesAtOnce: MOST_BYTES_AT_ONCE }
  await enforceInSteps(context, removals, done, { exceptRun, signal, afterFirst, ...most })
  afterFirst?.()
  await removeLeftovers(context)
  await settlePacks(context, signal)
  if (!isLeftToPack) await freeUnused(context, signal)
  signal.throwIfAborted()
  done.isLeft = isLeftToPack
  if (isScanned || !isLast) return true
  done.isLeft ||= isMaintenanceOverdue(layout)
  if (await isTooLate()) return true
  await scanHub(context, signal)
  done.isLeft = isLeftToPack
  if (!isLeftToPack) markMaintained(layout, { isPackingLeft: toPack.length > 0 })
  return true
}
