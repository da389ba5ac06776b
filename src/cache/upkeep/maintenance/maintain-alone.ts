import { withTimeLimit } from '../../../platform/originals.ts'
import type { Layout } from '../../store/layout.ts'
import { withLock } from '../../store/locks/lock.ts'

interface Wait {
  /** How long to wait for another process. Default: as long as it works. */
  atMostMs?: number
  /** Ends the wait with an error. */
  signal?: AbortSignal
}

/**
 * Runs `work` while no other process maintains the cache. Undefined, and `work` is not run, if another process goes on for longer than
 * `atMostMs`.
 */
export async function maintainAlone<T>(
  { maintenanceLock }: Layout,
  { atMostMs, signal }: Wait,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const late = new Error('Another process maintains the cache.')
  try {
    // The time limit is for the wait: the work has no use for the signal.
    return await withTimeLimit(
      atMostMs,
      signal,
      () => late,
      (signal) => withLock(maintenanceLock, work, signal),
    )
  } catch (error) {
    if (error === late) return undefined
    throw error
  }
}
