import type { ChunkId } from '../../model/chunk-id.ts'
import { SMALLEST_MAPPED_FILE } from '../../model/remote-object.ts'
import {
  type ChunkMap,
  LARGEST_HEADER,
  largestMap,
  type MappedPart,
  parseMap,
  parseSources,
  placedChunks,
  type Stated,
  sourcesOf,
} from '../../remote/chunk-map.ts'
import { blobKey, mapKey } from '../../remote/keys.ts'
import { RemoteError } from '../../remote/store.ts'
import { NewerObject, UnusableObject } from '../../remote/unusable.ts'
import { cutBytes } from '../store/packs/cut-file.ts'
import type { StoreCalls } from './store-calls.ts'

/** The chunk map of a blob, if the store has all objects that it names. Throws `RemoteError`. */
export async function usableMap(calls: StoreCalls, file: Stated): Promise<ChunkMap | undefined> {
  if (file.size < SMALLEST_MAPPED_FILE) return undefined
  const map = await readMap(calls, file)
  if (!map) return undefined
  const there = await Promise.all(sourcesOf(map).map(async ({ digest, size }) => isSize(calls, blobKey(digest), size)))
  return there.every(Boolean) ? map : undefined
}

/** A map that is damaged counts as absent. */
async function readMap(calls: StoreCalls, { digest, size }: Stated): Promise<ChunkMap | undefined> {
  try {
    const bytes = await calls.read(mapKey(digest), largestMap(size))
    return bytes && parseMap(bytes, size)
  } catch (error) {
    if (error instanceof UnusableObject) return undefined
    throw error
  }
}

/** The objects that a map names. None if it is damaged. Throws `RemoteError`, and `NewerObject`. */
export async function namedSources(calls: StoreCalls, key: string): Promise<Stated[]> {
  try {
    const bytes = await calls.readStart(key, LARGEST_HEADER)
    return bytes ? parseSources(bytes) : []
  } catch (error) {
    if (error instanceof UnusableObject && !(error instanceof NewerObject)) return []
    throw error
  }
}

async function isSize(calls: StoreCalls, key: string, size: number): Promise<boolean> {
  const there = await calls.has(key)
  return there !== undefined && (there.size ?? size) === size
}

/** The map of an object that the store has whole. Undefined if it lacks the object, or fails. */
export async function mapOfObject(calls: StoreCalls, source: Stated): Promise<ChunkMap | undefined> {
  const { digest, size } = source
  const { signal } = calls.options
  try {
    const chunks = await calls.call(async (signal, progressed) => {
      const pieces = await calls.store.get(blobKey(digest), { signal })
      // Its digest is not computed: chunks are compared by what the object has.
      return pieces && cutBytes(watched(pieces, progressed), { size }, signal)
    })
    return chunks && { size, parts: [{ source, start: 0, size }], chunks }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof RemoteError) return undefined
    throw error
  }
}

async function* watched(pieces: AsyncIterable<Uint8Array>, progressed: () => void): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    progressed()
    yield piece
  }
}

/** Where the store has chunks, by these maps. Of two places, the first one counts. */
export function chunksIn(maps: readonly ChunkMap[]): Map<ChunkId, MappedPart> {
  const found = new Map<ChunkId, MappedPart>()
  for (const map of maps)
    for (const { id, parts } of placedChunks(map)) {
      const [place, other] = parts
      // A chunk that is in two parts can't be read as one.
      if (place && !other && !found.has(id)) found.set(id, place)
    }
  return found
}
