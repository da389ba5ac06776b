import { lstatSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type Digest, digestOfBlobName } from '../../../model/digest.ts'
import { isAbsent } from '../atomic-write.ts'
import { skeletonNameOf } from '../own-names.ts'
import { madeOf } from './trailer.ts'

// A skeleton lies beside the blob that it points into: ONNX Runtime accepts weights in another file only when that file is in the folder
// of the model. Readers of a Hugging Face cache ignore names in `blobs` to which no snapshot refers.

/** The smallest amount of weights for which a skeleton is made. With less, mapped loading is not faster. */
export const SMALLEST_GAIN_BYTES = 1 << 20

/** A larger one would cost more to write and to read than it saves. */
export const LARGEST_SKELETON_BYTES = 32 << 20

/** True for a file that may have a skeleton, by its name in the repo. */
export function isOnnxFile(path: string): boolean {
  return path.endsWith('.onnx')
}

/** The path of the skeleton of a blob. */
export function skeletonOf(blob: string): string {
  return join(dirname(blob), skeletonNameOf(basename(blob)))
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
  const skeleton = readSkeleton(path)
  const source = skeleton && madeOf(skeleton)
  return source?.digest === digest && source.size === size
}

/** The content of the file at the place of a blob's skeleton. Undefined when there is none, or nothing that can be a skeleton. */
export function readSkeleton(blob: string): Buffer | undefined {
  const path = skeletonOf(blob)
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false })
    // The file that a link refers to is not ours.
    return stats?.isFile() && stats.size <= LARGEST_SKELETON_BYTES ? readFileSync(path) : undefined
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}
