import type { Model } from '../../model/model.ts'
import { selectionKey } from '../../model/selection.ts'
import { keepCrypto } from '../../platform/late-crypto.ts'
import type { CacheContext } from '../context/context.ts'
import { filesInManifest, findInManifest } from '../context/manifest.ts'
import { compareWithDisk, exactPaths, type Located } from './compare-with-disk.ts'

/** Finds a model in the manifest of the warm-up, with one `stat` a file and without the metadata. Undefined when the manifest lacks it. */
export async function locateInManifest(context: CacheContext, model: Model): Promise<Located | undefined> {
  const found = findInManifest(context.options.manifest, model)
  if (!found) return undefined
  const paths = exactPaths(model) ?? found.selections.find(({ key }) => key === selectionKey(model.selection))?.files
  if (!paths) return undefined
  // The warm-up of this run has verified the files already, so digests are not computed again.
  const validation = context.options.validate === 'none' ? 'none' : 'stat'
  const located = await compareWithDisk(context, found, paths, filesInManifest(found), validation)
  return located && { ...located, warmedInThisRun: found.downloaded }
}

/** Finds a model by its stored ref, metadata and listing, without the network. Undefined when one of them is missing. */
export async function locateOnDisk(context: CacheContext, model: Model): Promise<Located | undefined> {
  // What follows computes digests.
  await keepCrypto()
  const { findOnDisk } = await import('./locate-on-disk.ts')
  return findOnDisk(context, model)
}
