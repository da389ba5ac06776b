import type { ChunkId } from '../../model/chunk-id.ts'
import type { Span } from '../../model/spans.ts'
import {
  type MappedChunk,
  type MappedPart,
  MOST_PARTS,
  MOST_SOURCES,
  type Stated,
  sourcesOf,
} from '../../remote/chunk-map.ts'

/** How a file differs from what a store has. */
export interface Difference {
  /** What the store lacks: ranges of the file, in order. */
  fresh: Span[]
  /** Bytes. */
  freshBytes: number
  /** The parts of the file, in order. `fresh`: the object that has what the store lacks. */
  partsWith(fresh: Stated | undefined): MappedPart[]
}

// Where more is new, the whole file costs little more, and is read in one piece.
const MOST_FRESH = 0.5

/** The difference of a file from known chunks. Undefined if it is too large, or in too many parts. Pure. */
export function differenceOf(
  chunks: readonly MappedChunk[],
  known: ReadonlyMap<ChunkId, MappedPart>,
): Difference | undefined {
  const fresh: Span[] = []
  const places = new Map<ChunkId, Place>(known)
  const parts: Place[] = []
  let [at, freshBytes] = [0, 0]
  for (const { id, size } of chunks) {
    let place = places.get(id)
    if (!place || place.size !== size) {
      place = { source: undefined, start: freshBytes, size }
      places.set(id, place)
      freshBytes += size
      const before = fresh.at(-1)
      if (before?.end === at) before.end += size
      else fresh.push({ start: at, end: at + size })
    }
    const before = parts.at(-1)
    const isNext =
      before?.source?.digest === place.source?.digest && before && before.start + before.size === place.start
    if (isNext) before.size += size
    else parts.push({ ...place })
    at += size
  }
  const olds = sourcesOf({ parts: parts.flatMap(({ source, ...part }) => (source ? [{ ...part, source }] : [])) })
  if (freshBytes > MOST_FRESH * at || parts.length > MOST_PARTS || olds.length >= MOST_SOURCES) return undefined
  const partsWith = (object: Stated | undefined) =>
    parts.map(({ source = object, ...part }) => {
      if (!source) throw new Error('A part has no source')
      return { ...part, source }
    })
  return { fresh, freshBytes, partsWith }
}

/** A part whose source is not written yet if it is undefined. */
type Place = Omit<MappedPart, 'source'> & { source: Stated | undefined }
