import { mkdir } from 'node:fs/promises'
import { ModelCacheError, messageOf } from '../../model/errors.ts'
import { stampOf } from './blobs.ts'
import { FORMAT, isOurs } from './cache-folder.ts'
import { replaceDurably, syncToDisk } from './durable.ts'
import type { Layout } from './layout.ts'
import { withLock } from './lock.ts'

// https://bford.info/cachedir/: tells backup tools to leave the folder out.
const CACHEDIR_TAG = `Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by vitest-model-cache.
`

/** Creates the cache folder where there is none, and checks that this version can use it. Throws `CACHE_UNUSABLE`, `CACHE_FORMAT`. */
export async function prepareCacheFolder(layout: Layout): Promise<void> {
  try {
    if (isOurs(layout)) return
    await mkdir(layout.directory, { recursive: true, mode: 0o700 })
    await replaceDurably(layout.tag, CACHEDIR_TAG)
    // From here on a missing file means that it was lost.
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
      nextStep: 'Set `cacheDir` or MODEL_CACHE_DIR to a folder that may be written.',
      cause: error,
    })
  }
}
