import type { Digest } from '../../../model/digest.ts'
import type { CacheContext } from '../../context/context.ts'
import type { Layout } from '../../store/layout.ts'
import { ChunkIndex } from '../../store/packs/chunk-index.ts'
import { CoderPool } from '../../store/packs/coder-pool.ts'
import { INDEXED_BYTES, PackWriter } from '../../store/packs/pack-file.ts'
import { packedFlaws } from '../../store/packs/packed-flaws.ts'
import { recipeBytes, writeRecipe } from '../../store/packs/recipe.ts'
import { type Packing, type Written, writeBlob } from '../../store/packs/write-blob.ts'

/** A blob of an entry that is to be packed. */
export interface Blob {
  digest: Digest
  size: number
  path: string
}

/** Why a model stays as it is: a sentence. */
export class NotPacked extends Error {
  override readonly name = 'NotPacked'
}

export function lostLock(): NotPacked {
  return new NotPacked('This process was stopped for too long, and another one took its lock.')
}

interface WriteOptions {
  label: string
  /** False when a lock was lost. */
  mayGoOn: () => boolean
  dryRun?: boolean
  isCompressed?: boolean
  signal?: AbortSignal
  onProgress?: (progress: { model: string; bytes: number; totalBytes: number }) => void
}

/** Writes the blobs into pack files. The caller holds the lock of the pack files. Returns the bytes that each blob adds to them. */
export async function writeBlobs(
  layout: Layout,
  blobs: Blob[],
  { label, mayGoOn, dryRun, isCompressed = true, signal, onProgress }: WriteOptions,
): Promise<Map<Digest, number>> {
  const totalBytes = blobs.reduce((sum, { size }) => sum + size, 0)
  const index = new ChunkIndex(layout)
  const pool = new CoderPool(totalBytes)
  const writer = dryRun ? undefined : new PackWriter(layout, (name, chunks) => index.add(name, chunks))
  const packing: Packing = { layout, index, fresh: new Set(), pool, writer, isCompressed, signal }
  const written = new Map<Digest, Written>()
  let bytes = 0
  try {
    for (const blob of blobs) {
      const one = await writeBlob(packing, blob.path, blob)
      if (!one) throw new NotPacked('A file of it is damaged. `npx vitest-model-cache verify --repair` repairs it.')
      written.set(blob.digest, one)
      bytes += blob.size
      onProgress?.({ model: label, bytes, totalBytes })
    }
    await writer?.finish()
    for (const [digest, { recipe }] of dryRun ? [] : written)
      if (!(await writeRecipe(layout, digest, recipe, mayGoOn))) throw lostLock()
    return new Map([...written].map(([digest, one]) => [digest, bytesIn(one)]))
  } catch (error) {
    await pool.close()
    // The chunks so far are whole. The next packing of the model does not write them again.
    if (signal?.aborted && error === signal.reason) await writer?.finish()
    throw error
  } finally {
    await writer?.abandon()
    await pool.close()
  }
}

function bytesIn({ recipe, addedBytes, addedChunks }: Written): number {
  return addedBytes + addedChunks * INDEXED_BYTES + recipeBytes(recipe)
}

/** Reads all blobs from the pack files. Only then may the files in `hub/` be removed. */
export async function areReadable({ layout, debug }: CacheContext, blobs: Blob[]): Promise<boolean> {
  const flaws = await packedFlaws(layout, blobs)
  for (const [digest, flaw] of flaws) debug(`${digest} could not be packed: ${flaw}`)
  return flaws.size === 0
}
