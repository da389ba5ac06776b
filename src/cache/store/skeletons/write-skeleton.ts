import { closeSync, mkdirSync, openSync, readSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { moveInto } from '../atomic-write.ts'
import type { Layout } from '../layout.ts'
import { uniqueBeside } from '../own-names.ts'
import { removeEmptyFolder, removeFile, removeUnique } from '../remove-own.ts'
import { isWellFormed } from './check-skeleton.ts'
import { makeSkeleton, type Skeleton } from './make-skeleton.ts'
import { NotMappable } from './protobuf.ts'
import { type Blob, blobAt, skeletonOf } from './skeleton-file.ts'

/**
 * Makes the skeleton of a blob and writes it beside the blob. Returns the reason when none is made. Throws the error of a disk that
 * can't be read or written.
 */
export async function writeSkeleton(layout: Layout, blob: Blob): Promise<string | undefined> {
  const made = skeletonFrom(blob)
  if (typeof made === 'string') return made
  const path = skeletonOf(blob.path)
  const temporary = uniqueBeside(join(layout.incoming, 'skeleton'), 'tmp')
  try {
    mkdirSync(layout.incoming, { recursive: true, mode: 0o700 })
    writeFileSync(temporary, made.bytes, { mode: 0o444 })
    await moveInto(temporary, path)
  } finally {
    removeUnique(temporary)
  }
  // Another process may have removed the blob meanwhile.
  if (blobAt(blob.path)) return undefined
  removeFile(layout, path)
  // A process that was stopped for long may have made the folders of the removed model anew.
  if (await removeEmptyFolder(layout, dirname(path))) await removeEmptyFolder(layout, dirname(dirname(path)))
  return 'it was removed meanwhile'
}

/** The skeleton of a blob, or the reason why it has none. */
export function skeletonFrom({ path, digest, size }: Blob): Skeleton | string {
  const file = openSync(path, 'r')
  try {
    const read = (into: Uint8Array, position: number) => readSync(file, into, 0, into.byteLength, position)
    const made = makeSkeleton(read, { digest, size })
    return isWellFormed(made, basename(path), size) ? made : 'its parts do not fit together'
  } catch (error) {
    if (error instanceof NotMappable) return error.message
    throw error
  } finally {
    closeSync(file)
  }
}
