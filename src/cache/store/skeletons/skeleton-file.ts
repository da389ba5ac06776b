import { lstatSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { type Digest, digestOfBlobName } from '../../../model/digest.ts'
import { isAbsent } from '../atomic-write.ts'
import { madeOf } from './trailer.ts'

// A skeleton lies beside the blob that it points into, under the blob's name with this ending: ONNX Runtime accepts weights in another
// file only when that file is in the folder of the model. Readers of a Hugging Face cache ignore names in `blobs` to which no snapshot
// refers.

/** The path of the skeleton of a blob. */
export function skeletonOf(blob: string): string {
  return `${blob}.mapped.onnx`
}

/** A blob for which a skeleton may be made. */
export interface Blob {
  path: string
  digest: Digest
  /** Bytes. */
  size: number
}

/** The blob at a path. Undefined when there is none, or when a link is in its place. */
export function blobAt(path: string): Blob | undefined {
  const digest = digestOfBlobName(basename(path))
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return digest && stats?.isFile() ? { path, digest, size: stats.size } : undefined
}

/** True when the blob has a skeleton that is whole and was made of it. */
export function hasSkeleton({ path, digest, size }: Blob): boolean {
  const skeleton = skeletonOf(path)
  try {
    // A skeleton is never a link. The file that a link refers to is not ours.
    if (!lstatSync(skeleton, { throwIfNoEntry: false })?.isFile()) return false
    const source = madeOf(readFileSync(skeleton))
    return source?.digest === digest && source.size === size
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}
