import { mkdir } from 'node:fs/promises'
import { ModelCacheError, messageOf } from '../../../model/errors.ts'
import { stampOf } from '../blobs.ts'
import { FORMAT, isOurs, refusalOf } from '../cache-folder.ts'
import { replaceDurably, syncToDisk } from '../durable.ts'
import type { Layout } from '../layout.ts'
import { CACHEDIR_TAG, hasLostMarker } from '../lost-mark.ts'
import { withLock } from './lock.ts'

/**
 * Creates the cache folder unless it exists, and checks that this version can use it. Throws `NOT_A_CACHE` for a folder that holds
 * other things, `CACHE_FORMAT` for a newer format, and `CACHE_UNUSABLE` for a folder that can't be read or written.
 */
export async function prepareCacheFolder(layout: Layout): Promise<void> {
  try {
    const refusal = refusalOf(layout)
    if (refusal) throw refusal
    if (isOurs(layout)) return
    await mkdir(layout.directory, { recursive: true, mode: 0o700 })
    await replaceDurably(layout.tag, CACHEDIR_TAG)
    // Written before the marker: in a folder with a marker, missing metadata means that it was lost.
    await withLock(`${layout.metadata}.lock`, async () => {
      if (!stampOf(layout.metadata)) await replaceDurably(layout.metadata, '[]\n')
    })
    await replaceDurably(layout.marker, `${JSON.stringify({ format: FORMAT })}\n`)
    await syncToDisk(layout.directory)
  } catch (error) {
    if (error instanceof ModelCacheError) throw error
    throw new ModelCacheError({
      code: 'CACHE_UNUSABLE',
      asked: `Cache folder ${layout.directory}`,
      reason: `It can't be used: ${messageOf(error)}.`,
      nextStep: 'Set `cacheDir` or MODEL_CACHE_DIR to a writable folder.',
      cause: error,
    })
  }
}

/** Writes a new marker file into a cache folder that lost it. Does nothing when the folder is read-only. */
export async function writeMarkerAgain(layout: Layout): Promise<void> {
  if (!stampOf(layout.directory) || !hasLostMarker(layout)) return
  // A read-only cache is still read.
  await prepareCacheFolder(layout).catch(() => undefined)
}
