import { rm } from 'node:fs/promises'

/**
 * Removes a folder with all that is in it, or does nothing if there is none.
 * Maintenance in the background may write a file into it meanwhile. Then the removal is repeated.
 */
export function removeFolder(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 })
}
