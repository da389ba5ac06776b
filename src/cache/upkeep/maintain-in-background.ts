import { linkedController, originals, withTimeLimit } from '../../platform/originals.ts'
import type { CacheContext } from '../context/context.ts'
import { isWritable } from '../store/cache-folder.ts'
import { isClaimedBeside } from '../store/locks/leases.ts'
import { type Hold, withLock } from '../store/locks/lock.ts'
import { maintain, mayMaintain } from './maintain.ts'

// The process that starts this one may still hold the lock, while its last step goes on.
const WAIT_MS = 10_000
// A run that starts waits no longer than this for a lock of maintenance.
const LOOK_EVERY_MS = 20
// Fewer models than a whole maintenance removes at once: a kill leaves the files of at most these without a record for a day.
const AT_ONCE = 50

export interface BackgroundOptions {
  /** The run that left the work. It may be live: a session that watches. */
  run: string
  /** True when that run needs no models any more. */
  isOver: boolean
  /** Called when the work has to stop: at once if the cache folder is being removed, so that nothing is written into it any more. */
  onStop: (isAtOnce: boolean) => void
}

/**
 * Maintains the cache in a process that does nothing else. It stops when its lock is taken away (`stopMaintenance`), when the cache folder
 * is removed, and when another run claims a model. Meanwhile no other process maintains the cache.
 */
export async function maintainInBackground(context: CacheContext, options: BackgroundOptions): Promise<void> {
  const { layout } = context
  if (!mayMaintain(context) || !isWritable(layout) || (await isClaimedBeside(layout, options.run))) return
  const late = () => new Error('Another process maintains the cache.')
  const work = (hold: Hold) => maintainWhileHeld(context, hold, options)
  // The time limit is for the wait: the work has no use for the signal.
  await withTimeLimit(WAIT_MS, undefined, late, (signal) => withLock(layout.maintenanceLock, work, signal))
}

async function maintainWhileHeld(
  context: CacheContext,
  hold: Hold,
  { run, isOver, onStop }: BackgroundOptions,
): Promise<void> {
  const { controller } = linkedController()
  const stop = () => {
    originals.clearInterval(watch)
    controller.abort()
    onStop(!mayMaintain(context))
  }
  const look = async () => {
    if (!hold.isOurs() || (await isClaimedBeside(context.layout, run))) stop()
  }
  const watch = originals.setInterval(() => void look().catch(stop), LOOK_EVERY_MS)
  try {
    const exceptRun = isOver ? run : undefined
    await maintain(context, { exceptRun, signal: controller.signal, atOnce: AT_ONCE })
  } finally {
    originals.clearInterval(watch)
  }
}
