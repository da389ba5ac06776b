import { join } from 'node:path'
import { chunkId } from '../../../model/chunk-id.ts'
import type { Digest } from '../../../model/digest.ts'
import { isSystemError } from '../../../model/errors.ts'
import type { Layout } from '../layout.ts'
import type { Hold } from '../locks/lock.ts'
import { Aside } from '../removal/aside.ts'
import { removeFiles } from '../remove-own.ts'
import { indexOf, packNames } from './chunk-index.ts'
import { copyChunks } from './compact-packs.ts'
import { decodeInto } from './decode-into.mjs'
import type { StoredChunk } from './pack-file.ts'
import { readRecipe } from './recipe.ts'

/**
 * Writes pack files again without their damaged chunks, if these blobs need one of them. Packed models that need such a chunk could not be
 * restored before, either. They can be once it is written again. The caller holds the lock of the pack files. Throws the errors of
 * the disk.
 */
export async function dropDamaged(layout: Layout, hold: Hold, digests: Digest[], signal?: AbortSignal): Promise<void> {
  const needed = new Set(digests.flatMap((digest) => readRecipe(layout, digest)?.chunks ?? []))
  const isSound = (name: string, { id, offset, stored, size, coding }: StoredChunk) => {
    const bytes = new Uint8Array(size)
    try {
      const isThere = decodeInto(bytes, [{ path: join(layout.packs, name), offset, stored, size, coding }])
      return isThere && chunkId(bytes) === id
    } catch (error) {
      // A disk that fails for a while says nothing about the chunk.
      if (isSystemError(error)) throw error
      return false
    }
  }
  const damaged = packNames(layout).flatMap((name) => {
    const chunks = indexOf(layout, name) ?? []
    const isDamaged = chunks.some((chunk) => needed.has(chunk.id) && !isSound(name, chunk))
    return isDamaged ? [{ name, used: chunks.filter((chunk) => isSound(name, chunk)) }] : []
  })
  if (damaged.length === 0) return
  await copyChunks(layout, damaged, signal)
  const aside = Aside.begin(layout, hold)
  const names = damaged.map(({ name }) => name)
  try {
    await removeFiles(layout, layout.packs, names, (path) => aside.take(path))
  } finally {
    await aside.end()
  }
}
