import { linkedController, originals } from '../../platform/originals.ts'
import type { CacheContext } from '../context/context.ts'
import { withFreeLock } from '../store/locks/lock.ts'
import { isMaintenanceOverdue, markMaintained, wasMaintainedWithin } from '../store/maintained.ts'
import { lookDue } from './look-due.ts'
import {
  enforceInSteps,
  type Maintained,
  mayMaintain,
  nothingRemoved,
  removeLeftovers,
  scanHub,
  tidyPacks,
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

export interface BriefOptions {
  /** True when the run of the cache is over: its models are not protected any more. */
  isOver: boolean
  /** True if another process goes on with what is left. */
  isFollowed: boolean
  /** Default: 50 or 70 ms. */
  withinMs?: number
}

/** What was removed, and whether something is left to do. */
export interface Briefly extends Maintained {
  isLeft: boolean
}

/**
 * Maintains the cache for a short time. Does nothing while another process maintains it. The limits come first. If something is to be
 * packed and another process follows, that process also evicts: what is packed takes less space, and may stay.
 */
export async function maintainBriefly(context: CacheContext, options: BriefOptions): Promise<Briefly> {
  const { layout } = context
  const done: Briefly = { ...nothingRemoved(), isLeft: false }
  if (!mayMaintain(context)) return done
  const { controller, unlink } = linkedController(context.options.signal)
  const { signal } = controller
  const { withinMs = options.isFollowed ? WITHIN_MS_IF_FOLLOWED : WITHIN_MS } = options
  const endsAt = originals.monotonic() + withinMs
  let timer: NodeJS.Timeout | undefined
  const isLate = new Promise<void>((resolve) => {
    timer = originals.setTimeout(() => {
      controller.abort()
      resolve()
    }, withinMs)
  })
  const work = withFreeLock(layout.maintenanceLock, () => workBriefly(context, options, done, { signal, endsAt }))
  // After the time, the step that was begun goes on, and nobody waits for it.
  work.catch(() => undefined)
  try {
    await Promise.race([work, isLate])
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    originals.clearTimeout(timer)
    unlink()
  }
  return { ...done }
}

async function workBriefly(
  context: CacheContext,
  { isOver, isFollowed }: BriefOptions,
  done: Briefly,
  { signal, endsAt }: { signal: AbortSignal; endsAt: number },
): Promise<void> {
  const { layout, options } = context
  // What was left by complete maintenance can't be done now, so no process is started for it.
  const mayBeLeft = !wasMaintainedWithin(layout, SCANNED_AGAIN_AFTER_MS)
  done.isLeft = isMaintenanceOverdue(layout)
  if (!isOver) await context.gatherClaims()
  const exceptRun = isOver ? options.run?.id : undefined
  const { expired, evicted, toPack } = await lookDue(context, exceptRun)
  const isPackingLeft = toPack.length > 0 && isFollowed && mayBeLeft
  done.isLeft = isPackingLeft || (mayBeLeft && expired.length + evicted.length > 0)
  const metadata = await context.metadata()
  const isTooLate = async () => originals.monotonic() + (await metadata.all()).size * MS_PER_ENTRY > endsAt
  if (done.isLeft && isFollowed && (await isTooLate())) return
  const removals = { expired, evicted: isPackingLeft ? [] : evicted }
  await enforceInSteps(context, removals, done, { exceptRun, signal, atOnce: AT_ONCE, bytesAtOnce: MOST_BYTES_AT_ONCE })
  await removeLeftovers(context)
  await tidyPacks(context, signal)
  if (toPack.length > 0 && !isFollowed)
    await (await import('./pack-unused.ts')).packUnused(context, toPack, { exceptRun, signal })
  signal.throwIfAborted()
  done.isLeft = isPackingLeft
  if (!mayBeLeft) return
  done.isLeft ||= isMaintenanceOverdue(layout)
  if (await isTooLate()) return
  await scanHub(context, signal)
  done.isLeft = isPackingLeft
  if (!isPackingLeft) markMaintained(layout)
}
