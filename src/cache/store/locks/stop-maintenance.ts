import { existsSync } from 'node:fs'
import type { Layout } from '../layout.ts'
import { mayRemove, removeLockFile } from '../remove-own.ts'

/**
 * Asks the process that maintains the cache in the background to stop, by taking its lock away. It notices that within 20 ms, and ends
 * soon. A failure is ignored: that process ends by itself.
 */
export function stopMaintenance(layout: Layout): void {
  const { backgroundLock } = layout
  try {
    if (existsSync(backgroundLock) && mayRemove(layout, backgroundLock)) removeLockFile(backgroundLock)
  } catch {
    // The folder is read-only or another user's.
  }
}
