import { entryKey, isPacked } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import type { Model } from '../model/model.ts'
import type { CacheContext } from './context/context.ts'
import type { Located } from './lookup/compare-with-disk.ts'
import { locateInManifest, locateOnDisk } from './lookup/locate.ts'

/** True when all files of the selection are cached and unchanged, so that they would be served without the network. */
export async function hasModel(context: CacheContext, model: Model): Promise<boolean> {
  const usable = context.refusal ? await context.temporary(context.refusal.message) : context
  if (!usable) return false
  const located = (await locateInManifest(usable, model)) ?? (await locateOnDisk(usable, model).catch(nothing))
  return located !== undefined && (located.changed.length === 0 || (await areRestorable(usable, located)))
}

/** True when all files that are not on disk are packed. */
async function areRestorable(context: CacheContext, { repo, snapshot, changed }: Located): Promise<boolean> {
  const entry = await (await context.metadata()).find(entryKey({ repo, snapshot }))
  const files = changed.map((path) => entry?.files.get(path))
  return files.every((file) => file !== undefined && isPacked(file))
}

/** A file that the repo does not have counts as missing. Other errors are thrown again. */
function nothing(error: unknown): undefined {
  if (error instanceof ModelCacheError && error.code === 'FILE_NOT_FOUND') return undefined
  throw error
}
