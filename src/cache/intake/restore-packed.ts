import { existsSync } from 'node:fs'
import { isSystemError } from '../../model/errors.ts'
import type { CacheContext } from '../context/context.ts'
import { explainDiskError } from './explain-disk-error.ts'
import { type FileTarget, targetLabel } from './file-target.ts'

/**
 * Restores a packed blob. True if it is in the cache now, with the stated digest. It may be packed for another model. The temporary cache
 * of a read-only one reads the pack files there. A packed blob that is damaged counts as missing.
 */
export async function restorePacked(context: CacheContext, target: FileTarget): Promise<boolean> {
  const { stated, signal, onBytes } = target
  const layouts = [context.layout, context.standsInFor?.layout]
  const from = layouts.find((layout) => layout && existsSync(layout.packedBlob(stated.digest)))
  if (!from) return false
  const [{ readBlob, UnreadableBlob }, { CoderPool }, { IncomingFile }, { DigestMismatchError }] = await Promise.all([
    import('../store/packs/read-blob.ts'),
    import('../store/packs/coder-pool.ts'),
    import('../store/downloads/incoming.ts'),
    import('../../model/broken-download.ts'),
  ])
  const pool = new CoderPool(stated.size)
  const incoming = await IncomingFile.claim(context.layout, stated.digest, stated.size)
  let at = 0
  try {
    // What an unfinished download left is not needed: the packed blob is whole.
    if (incoming.received > 0) await incoming.restart()
    for await (const bytes of readBlob(from, stated.digest, pool)) {
      signal?.throwIfAborted()
      await incoming.write(bytes, at)
      at += bytes.length
      onBytes.unpacked(bytes.length)
    }
    await incoming.publish(context.layout.blob(target.model.repo, stated.digest))
    context.debug(`Restored ${targetLabel(target)} from the pack files`)
    return true
  } catch (error) {
    onBytes.unpacked(-at)
    await incoming.discard()
    signal?.throwIfAborted()
    if (isSystemError(error)) throw explainDiskError(error, target)
    if (!(error instanceof UnreadableBlob || error instanceof DigestMismatchError)) throw error
    context.warn(`The packed copy of ${targetLabel(target)} is damaged, and is not used. ${error.message}.`)
    return false
  } finally {
    await pool.close()
  }
}
