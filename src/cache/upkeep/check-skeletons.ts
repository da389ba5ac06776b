import type { Entry } from '../../model/entry.ts'
import { messageOf } from '../../model/errors.ts'
import type { HubPath } from '../../model/hub-path.ts'
import type { CacheContext } from '../context/context.ts'
import { isWritable } from '../store/cache-folder.ts'
import { mayRemove, removeFile } from '../store/remove-own.ts'
import { blobAt, readSkeleton, skeletonOf } from '../store/skeletons/skeleton-file.ts'

/**
 * Compares the skeletons of files with those that their blobs give now. A skeleton that differs is replaced, or removed when its blob
 * gives none. The blobs were verified before. A failure of the disk is ignored: the hash of a skeleton is checked when it is opened.
 */
export async function checkSkeletons(context: CacheContext, files: { entry: Entry; path: HubPath }[]): Promise<void> {
  const { layout } = context
  if (!isWritable(layout)) return
  for (const { entry, path } of files) {
    const digest = entry.files.get(path)?.digest
    const blob = digest && blobAt(layout.blob(entry.repo, digest))
    const skeleton = blob && readSkeleton(blob.path)
    if (!blob || !skeleton || !mayRemove(layout, blob.path)) continue
    try {
      const { skeletonFrom, writeSkeleton } = await import('../store/skeletons/write-skeleton.ts')
      const made = skeletonFrom(blob)
      if (typeof made === 'object' && skeleton.equals(made.bytes)) continue
      context.debug(`The skeleton of ${blob.path} was damaged; it was replaced`)
      if ((await writeSkeleton(layout, blob)) !== undefined) removeFile(layout, skeletonOf(blob.path))
    } catch (error) {
      context.debug(`The skeleton of ${blob.path} could not be checked: ${messageOf(error)}`)
    }
  }
}
