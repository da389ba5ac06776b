import type { Span } from '../../../model/spans.ts'
import { type ChunkMap, type MappedChunk, placedChunks, type Stated } from '../../../remote/chunk-map.ts'

/** Where the bytes of a piece are: in an object of the remote or in a file from byte `at` on, or in the pack files. */
export type Place =
  | { kind: 'object'; source: Stated; at: number }
  | { kind: 'file'; path: string; at: number }
  | { kind: 'packed'; chunks: MappedChunk[] }

/** A range of the wanted file, and where its bytes are. */
export type Piece<Of extends Place = Place> = Span & Of
export type ObjectPiece = Piece<Extract<Place, { kind: 'object' }>>

/** What this machine has. */
export interface LocalBytes {
  /** The file that has the content of an object of the remote. */
  fileOf(source: Stated): string | undefined
  /** Where a chunk is. */
  placeOf(chunk: MappedChunk): Place | undefined
}

/** The pieces that make up a file, in order. What this machine has is not read from the remote. Pure. */
export function planPieces(map: ChunkMap, local: LocalBytes): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  for (const { parts, ...chunk } of placedChunks(map)) {
    const place = parts.every(({ source }) => local.fileOf(source)) ? undefined : local.placeOf(chunk)
    if (place) add(pieces, { start: at, end: at + chunk.size, ...place })
    let start = at
    for (const { source, start: from, size } of place ? [] : parts) {
      const path = local.fileOf(source)
      const place: Place = path === undefined ? { kind: 'object', source, at: from } : { kind: 'file', path, at: from }
      add(pieces, { start, end: start + size, ...place })
      start += size
    }
    at += chunk.size
  }
  return pieces
}

/** Adds a piece. If it continues the one before it, they become one. */
function add(pieces: Piece[], piece: Piece): void {
  const before = pieces.at(-1)
  if (!before || !isNext(before, piece)) pieces.push(piece)
  else {
    before.end = piece.end
    if (before.kind === 'packed' && piece.kind === 'packed') before.chunks.push(...piece.chunks)
  }
}

function isNext(before: Piece, piece: Piece): boolean {
  if (before.kind === 'packed' || piece.kind === 'packed') return before.kind === piece.kind
  if (before.at + before.end - before.start !== piece.at) return false
  if (before.kind === 'file') return piece.kind === 'file' && before.path === piece.path
  return piece.kind === 'object' && before.source.digest === piece.source.digest
}

/** Bytes that have to be read from the remote. */
export function bytesToRead(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { kind, start, end }) => (kind === 'object' ? sum + end - start : sum), 0)
}

/** A range of an object that several pieces need. */
export interface SharedRange extends Span {
  source: Stated
}

// A request takes as long as reading some megabytes. Larger pieces are read by themselves.
const SMALL_PIECE_BYTES = 1 << 20
const LARGEST_RANGE_BYTES = 2 << 20
const LARGEST_GAP_BYTES = 512 << 10

/**
 * Small pieces that lie near each other in an object are read together. Bytes between them are read, too, if the pieces are near each other
 * in the file, and if the range then has no more unused bytes than used ones. Pure.
 */
export function sharedRanges(pieces: readonly Piece[]): Map<ObjectPiece, SharedRange> {
  const small = pieces.filter(
    (piece): piece is ObjectPiece => piece.kind === 'object' && piece.end - piece.start <= SMALL_PIECE_BYTES,
  )
  small.sort((a, b) => (a.source.digest === b.source.digest ? a.at - b.at : a.source.digest < b.source.digest ? -1 : 1))
  const shared = new Map<ObjectPiece, SharedRange>()
  let range: SharedRange | undefined
  let before: ObjectPiece | undefined
  // How many more bytes of the range are used than unused.
  let spare = 0
  for (const piece of small) {
    const { source, at } = piece
    const size = piece.end - piece.start
    const end = at + size
    const isIn = range?.source.digest === source.digest && end - range.start <= LARGEST_RANGE_BYTES
    const gap = range ? at - range.end : 0
    const isNear = gap <= 0 || (gap <= Math.min(LARGEST_GAP_BYTES, spare + size) && isSoonAfter(before, piece))
    if (range && isIn && isNear) {
      spare += Math.max(0, end - Math.max(range.end, at)) - Math.max(0, gap)
      range.end = Math.max(range.end, end)
    } else {
      range = { source, start: at, end }
      spare = size
    }
    before = piece
    shared.set(piece, range)
  }
  return shared
}

/** True if a piece follows soon in the file. Else the range would be read twice. */
function isSoonAfter(before: ObjectPiece | undefined, { start }: ObjectPiece): boolean {
  return before !== undefined && start >= before.end && start - before.end <= LARGEST_GAP_BYTES
}
