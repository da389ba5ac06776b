import type { Model } from '../../model/model.ts'
import { selectionKey } from '../../model/selection.ts'
import type { CacheContext } from '../context/context.ts'
import { filesInManifest, findInManifest } from '../context/manifest.ts'
import { compareWithDisk, exactPaths, type Located } from './compare-with-disk.ts'

/** Finds a model by what the warm-up handed over: one `stat` a file, no metadata read. */
export async function locateInManifest(context: CacheContext, model: Model): Promise<Located | undefined> {
  const found = findInManifest(context.options.manifest, model)
  if (!found) return undefined
  const paths = exactPaths(model) ?? found.selections.find(({ key }) => key === selectionKey(model.selection))?.files
  if (!paths) return undefined
  // Verified by this run's warm-up, however the options have it verified.
  const validation = context.options.validate === 'none' ? 'none' : 'stat'
  const located = await compareWithDisk(context, found, paths, filesInManifest(found), validation)
  return located && { ...located, warmedInThisRun: found.downloaded }
}

/** Finds a model by refs, metadata and stored listing, without the network; undefined when any of it is not there. */
export async function locateOnDisk(context: CacheContext, model: Model): Promise<Located | undefined> {
  const { findOnDisk } = await import('./locate-on-disk.ts')
  return findOnDisk(context, model)
}
