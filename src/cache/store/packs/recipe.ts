import { readFileSync } from 'node:fs'
import { type ChunkId, idFrom } from '../../../model/chunk-id.ts'
import type { Digest } from '../../../model/digest.ts'
import { createHash } from '../../../platform/late-crypto.ts'
import { isAbsent } from '../atomic-write.ts'
import { replaceDurably } from '../durable.ts'
import type { Layout } from '../layout.ts'
import { makeFolder } from '../make-folder.ts'

// The recipe of a packed blob: of which chunks it is made. `cold/blobs/<blob name>`: the mark, the size of the blob (8 bytes), the sha256
// of each chunk, and the sha256 of all that.

// A version that writes other recipes changes the last character only: earlier versions then keep what these need.
const MARK = Buffer.from('VMCBLOB1')
const HEAD_BYTES = 16
const ID_BYTES = 32

export interface Recipe {
  /** Bytes of the blob. */
  size: number
  chunks: ChunkId[]
}

/** Bytes of the recipe on disk. */
export function recipeBytes({ chunks }: Recipe): number {
  return HEAD_BYTES + ID_BYTES * (chunks.length + 1)
}

/** False when `isAllowed` says no, right before the recipe gets its name. */
export async function writeRecipe(
  layout: Layout,
  digest: Digest,
  { size, chunks }: Recipe,
  isAllowed: () => boolean,
): Promise<boolean> {
  const head = Buffer.alloc(HEAD_BYTES)
  MARK.copy(head)
  head.writeBigUInt64LE(BigInt(size), MARK.length)
  const text = Buffer.concat([head, ...chunks.map((id) => Buffer.from(id, 'latin1'))])
  const path = layout.packedBlob(digest)
  makeFolder(layout, layout.packedBlobs)
  return replaceDurably(
    path,
    Buffer.concat([text, createHash('sha256').update(text).digest()]),
    isAllowed,
    layout.incoming,
  )
}

/** Undefined when there is none, or it is damaged or of a newer version. Throws other errors of the disk. */
export function readRecipe(layout: Layout, digest: Digest): Recipe | undefined {
  const bytes = bytesOf(layout, digest)
  if (!bytes) return undefined
  const ids = bytes.subarray(HEAD_BYTES, -ID_BYTES)
  const isWhole = bytes.length >= HEAD_BYTES + ID_BYTES && ids.length % ID_BYTES === 0
  if (!isWhole || !bytes.subarray(0, MARK.length).equals(MARK)) return undefined
  const sum = createHash('sha256').update(bytes.subarray(0, -ID_BYTES)).digest()
  if (!sum.equals(bytes.subarray(-ID_BYTES))) return undefined
  const chunks = Array.from({ length: ids.length / ID_BYTES }, (_, at) =>
    idFrom(ids.subarray(at * ID_BYTES, (at + 1) * ID_BYTES)),
  )
  return { size: Number(bytes.readBigUInt64LE(MARK.length)), chunks }
}

/** True when there is a recipe that a newer version wrote: its chunks are not known. Throws other errors of the disk. */
export function isOfNewerVersion(layout: Layout, digest: Digest): boolean {
  const mark = bytesOf(layout, digest)?.subarray(0, MARK.length)
  if (!mark || mark.equals(MARK)) return false
  return mark.subarray(0, -1).equals(MARK.subarray(0, -1))
}

/** Undefined when there is none. */
function bytesOf(layout: Layout, digest: Digest): Buffer | undefined {
  try {
    return readFileSync(layout.packedBlob(digest))
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}
