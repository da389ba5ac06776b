import type { ChunkId } from '../../../model/chunk-id.ts'
import { SMALLEST_MAPPED_FILE } from '../../../model/remote-object.ts'
import { type ChunkMap, type MappedChunk, type Stated, sourcesOf } from '../../../remote/chunk-map.ts'
import type { CacheContext } from '../../context/context.ts'
import type { OtherContent } from '../../lookup/contents-of-path.ts'
import { stampOf } from '../../store/blobs.ts'
import type { ChunkIndex } from '../../store/packs/chunk-index.ts'
import { cutFile } from '../../store/packs/cut-file.ts'
import type { FileTarget } from '../file-target.ts'
import { bytesToRead, type LocalBytes, type Place, planPieces } from './pieces.ts'

export const NOTHING_LOCAL: LocalBytes = { fileOf: () => undefined, placeOf: () => undefined }

/**
 * What this machine has of a file: objects that its map names, as blobs of the same repo; chunks in pack files; and, if much is still
 * missing, the chunks of the file at other commits, which are cut for that.
 */
export async function findLocal(
  context: CacheContext,
  { model, stated, signal }: FileTarget,
  { map, others, index }: { map: ChunkMap; others: readonly OtherContent[]; index: ChunkIndex },
): Promise<LocalBytes> {
  const { layout } = context
  const sources = sourcesOf(map).filter(({ digest }) => digest !== stated.digest)
  const blobs = sources.map(({ digest, size }) => ({ digest, size, path: layout.blob(model.repo, digest) }))
  const there = blobs.filter(({ path, size }) => stampOf(path)?.size === size)
  const files = new Map(there.map(({ digest, path }) => [digest, path]))
  const places = new Map<ChunkId, Place>()
  const local: LocalBytes = {
    fileOf: ({ digest }: Stated) => files.get(digest),
    placeOf: (chunk: MappedChunk) =>
      places.get(chunk.id) ??
      (index.find(chunk.id)?.size === chunk.size ? { kind: 'packed', chunks: [chunk] } : undefined),
  }
  for (const { digest, size, file: path } of others) {
    if (path === undefined || files.has(digest)) continue
    if (bytesToRead(planPieces(map, local)) < SMALLEST_MAPPED_FILE) break
    let at = 0
    for (const chunk of (await cutFile({ path, digest, size }, signal)) ?? []) {
      places.set(chunk.id, { kind: 'file', path, at })
      at += chunk.size
    }
  }
  return local
}
