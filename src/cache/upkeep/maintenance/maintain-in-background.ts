import { linkedController, originals } from '../../../platform/originals.ts'
import type { CacheContext } from '../../context/context.ts'
import { isWritable } from '../../store/cache-folder.ts'
import { isClaimedBeside } from '../../store/locks/leases.ts'
import { type Hold, withFreeLock } from '../../store/locks/lock.ts'
import { isMarked } from '../../store/remove-own.ts'
import { maintainWhole, mayMaintain } from './maintain.ts'
import { maintainAlone } from './maintain-alone.ts'

// The last step of the process that starts this one may go on for some seconds.
const WAIT_MS = 10_000
// A run that starts waits no longer than this for a lock of maintenance.
const LOOK_EVERY_MS = 20
// There is a file for each process that claims models.
const LOOK_AT_CLAIMS_EVERY_MS = 100
// Fewer models than a whole maintenance removes at once: a kill leaves the files of at most these without a record for a day.
const AT_ONCE = 50

export interface BackgroundOptions {
  /** The run that left the work. It may be live: a session that watches. */
  run: string
  /** True when that run needs no models any more. */
  isOver: boolean
  /** Stops the work. */
  signal?: AbortSignal
  /** Called when the work has to stop: at once if the cache folder is being removed, so that nothing is written into it any more. */
  onStop: (isAtOnce: boolean) => void
}

/**
 * Maintains the cache in a process that does nothing else. It stops when its lock is taken away (`stopMaintenance`), when the cache folder
 * is removed, and when another run claims a model. Does nothing if another process does the same.
 */
export async function maintainInBackground(context: CacheContext, options: BackgroundOptions): Promise<void> {
  const { layout } = context
  if (!mayMaintain(context) || !isWritable(layout) || (await isClaimedBeside(layout, options.run))) return
  await withFreeLock(layout.backgroundLock, (hold) => maintainWhileHeld(context, hold, options))
}

async function maintainWhileHeld(
  context: CacheContext,
  hold: Hold,
  { run, isOver, signal: given, onStop }: BackgroundOptions,
): Promise<void> {
  const { layout } = context
  const { controller, unlink } = linkedController(given)
  const { signal } = controller
  const stop = () => controller.abort()
  signal.addEventListener('abort', () => onStop(!isMarked(layout)), { once: true })
  const stopUnless = async (mayGoOn: () => boolean | Promise<boolean>) => {
    if (!(await mayGoOn())) stop()
  }
  const looks = [
    every(LOOK_EVERY_MS, () => stopUnless(() => hold.isOurs()).catch(stop)),
    every(LOOK_AT_CLAIMS_EVERY_MS, () => stopUnless(async () => !(await isClaimedBeside(layout, run))).catch(stop)),
  ]
  try {
    const exceptRun = isOver ? run : undefined
    const work = () => maintainWhole(context, { exceptRun, signal, atOnce: AT_ONCE })
    await maintainAlone(layout, { atMostMs: WAIT_MS, signal }, work)
  } finally {
    for (const look of looks) originals.clearInterval(look)
    unlink()
  }
}

function every(ms: number, look: () => Promise<void>): NodeJS.Timeout {
  return originals.setInterval(() => void look(), ms)
}
