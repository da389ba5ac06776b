import { type ChunkId, idFrom } from '../model/chunk-id.ts'
import { type Digest, isDigest } from '../model/digest.ts'
import { isCount, isObject, isText } from '../model/json.ts'
import { parseObject } from './read-object.ts'
import { checkVersion, UnusableObject } from './unusable.ts'

// The chunk map of a blob: of which chunks it is made, and which objects of the store have its bytes. The map of a blob that was written
// whole names the blob itself. The map of a later revision names parts of earlier blobs, and an object with the new chunks. It never names
// another map. It is a line of JSON, the header, and then 36 bytes for each chunk: its sha256, and its size in 4 bytes.

/** Bytes of content that a store has under its digest. */
export interface Stated {
  digest: Digest
  /** Bytes. */
  size: number
}

/** A part of a blob: the bytes of a source from `start` on. */
export interface MappedPart {
  source: Stated
  start: number
  /** Bytes. */
  size: number
}

export interface MappedChunk {
  id: ChunkId
  /** Bytes. */
  size: number
}

export interface ChunkMap {
  /** Bytes of the blob. */
  size: number
  /** The parts that make up the blob, in order. */
  parts: MappedPart[]
  /** The chunks that make up the blob, in order. */
  chunks: MappedChunk[]
}

const FORMAT_VERSION = 1
/** Bytes. */
export const LARGEST_HEADER = 512 << 10
export const MOST_SOURCES = 64
export const MOST_PARTS = 4096
/** Bytes. Only the last chunk of a blob is smaller. */
const SMALLEST_CHUNK = 32 << 10
/** Bytes. */
const LARGEST_CHUNK = 256 << 10
const ID_BYTES = 32
const RECORD_BYTES = 36
const LINE_BREAK = 0x0a

/** The bytes that the map of a blob can have at most. */
export function largestMap(size: number): number {
  return LARGEST_HEADER + RECORD_BYTES * Math.ceil(size / SMALLEST_CHUNK)
}

/** A map as bytes. Throws for one with too many sources or parts. */
export function printMap({ size, parts, chunks }: ChunkMap): Uint8Array {
  const records = Buffer.alloc(RECORD_BYTES * chunks.length)
  for (const [index, chunk] of chunks.entries()) {
    records.write(chunk.id, RECORD_BYTES * index, 'latin1')
    records.writeUInt32LE(chunk.size, RECORD_BYTES * index + ID_BYTES)
  }
  return Buffer.concat([Buffer.from(printHeader({ size, parts, count: chunks.length })), records])
}

/**
 * Parses the map of a blob of that size as bytes from outside. Only the exact form that `printMap` writes is accepted. Throws
 * `UnusableObject`, also for a newer version. Whether the sources have the right bytes is not known then.
 */
export function parseMap(bytes: Uint8Array, size: number): ChunkMap {
  const end = bytes.subarray(0, LARGEST_HEADER).indexOf(LINE_BREAK)
  if (end === -1) throw new UnusableObject('It has no header.')
  const { parts, count } = parseHeader(bytes.subarray(0, end + 1))
  const chunks = parseChunks(bytes.subarray(end + 1), count)
  if (total(parts) !== size || total(chunks) !== size)
    throw new UnusableObject(`It is not the map of a file of ${size} bytes.`)
  return { size, parts, chunks }
}

/** The objects of the store that have the bytes of a blob, each once. */
export function sourcesOf({ parts }: Pick<ChunkMap, 'parts'>): Stated[] {
  return [...new Map(parts.map(({ source }) => [source.digest, source])).values()]
}

/** The objects that a map names. Only its header is needed. Throws `UnusableObject`. */
export function parseSources(bytes: Uint8Array): Stated[] {
  const end = bytes.indexOf(LINE_BREAK)
  if (end === -1) throw new UnusableObject('It has no header.')
  return sourcesOf(parseHeader(bytes.subarray(0, end + 1)))
}

/** A chunk, and the parts of sources that have its bytes: nearly always one. */
interface PlacedChunk extends MappedChunk {
  parts: MappedPart[]
}

/** The chunks of a blob in order, each with its place in the store. */
export function* placedChunks({ parts, chunks }: Pick<ChunkMap, 'parts' | 'chunks'>): Generator<PlacedChunk> {
  let [index, used] = [0, 0]
  for (const chunk of chunks) {
    const own: MappedPart[] = []
    for (let left = chunk.size; left > 0; ) {
      const part = parts[index]
      if (!part) return
      const size = Math.min(left, part.size - used)
      own.push({ source: part.source, start: part.start + used, size })
      left -= size
      used += size
      if (used < part.size) continue
      index++
      used = 0
    }
    yield { ...chunk, parts: own }
  }
}

interface Header {
  size: number
  parts: MappedPart[]
  /** The number of chunks. */
  count: number
}

function printHeader({ size, parts, count }: Header): string {
  const sources = sourcesOf({ parts })
  if (sources.length > MOST_SOURCES || parts.length > MOST_PARTS) throw new Error('The map has too many parts')
  const places = new Map(sources.map(({ digest }, index) => [digest, index]))
  const listed = sources.map(({ digest, size }) => [digest, size])
  const lines = parts.map(({ source, start, size }) => [places.get(source.digest), start, size])
  return `${JSON.stringify({ formatVersion: FORMAT_VERSION, size, chunks: count, sources: listed, parts: lines })}\n`
}

function parseHeader(bytes: Uint8Array): Header {
  const { text, value } = parseObject(bytes)
  if (!isObject(value)) throw new UnusableObject('Its header is not valid.')
  const { formatVersion, size, chunks: count, sources, parts } = value
  checkVersion(formatVersion, FORMAT_VERSION)
  if (!isCount(size) || !isCount(count)) throw new UnusableObject('Its header is not valid.')
  if (!Array.isArray(sources) || sources.length > MOST_SOURCES) throw new UnusableObject('Its sources are not valid.')
  if (!Array.isArray(parts) || parts.length > MOST_PARTS) throw new UnusableObject('Its parts are not valid.')
  const known = sources.map(parseSource)
  const header = { size, count, parts: parts.map((part) => parsePart(part, known)) }
  if (total(header.parts) !== size || printHeader(header) !== text)
    throw new UnusableObject('Its header is not in the exact form.')
  return header
}

function parseSource(source: unknown): Stated {
  const [digest, size]: unknown[] = Array.isArray(source) ? source : []
  if (isText(digest) && isDigest(digest) && isCount(size)) return { digest, size }
  throw new UnusableObject('Its sources are not valid.')
}

function parsePart(part: unknown, sources: Stated[]): MappedPart {
  const [index, start, size]: unknown[] = Array.isArray(part) ? part : []
  const source = isCount(index) ? sources[index] : undefined
  if (!source || !isCount(start) || !isCount(size) || size === 0 || start + size > source.size)
    throw new UnusableObject('Its parts are not valid.')
  return { source, start, size }
}

function parseChunks(bytes: Uint8Array, count: number): MappedChunk[] {
  if (bytes.byteLength !== RECORD_BYTES * count)
    throw new UnusableObject('Its length is not the one that its header states.')
  const records = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: count }, (_, index) => {
    const at = RECORD_BYTES * index
    const size = records.readUInt32LE(at + ID_BYTES)
    const isLast = index === count - 1
    if (size === 0 || size > LARGEST_CHUNK || (size < SMALLEST_CHUNK && !isLast))
      throw new UnusableObject('One of its chunks has no possible size.')
    return { id: idFrom(records.subarray(at, at + ID_BYTES)), size }
  })
}

function total(items: { size: number }[]): number {
  return items.reduce((sum, { size }) => sum + size, 0)
}
