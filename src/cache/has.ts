import type { Model } from '../model/model.ts'
import type { CacheContext } from './context.ts'
import { locateInManifest, locateOnDisk } from './locate.ts'

/** True when all files of the selection are there as recorded, and would be served without the network. */
export async function hasModel(context: CacheContext, model: Model): Promise<boolean> {
  const located = (await locateInManifest(context, model)) ?? (await locateOnDisk(context, model))
  return located?.changed.length === 0
}
