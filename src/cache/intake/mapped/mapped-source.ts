import { createReadStream } from 'node:fs'
import type { Opened, PartSource } from '../../../hub/download-request.ts'
import type { ChunkId } from '../../../model/chunk-id.ts'
import { messageOf } from '../../../model/errors.ts'
import type { Span } from '../../../model/spans.ts'
import type { Stated } from '../../../remote/chunk-map.ts'
import { blobKey } from '../../../remote/keys.ts'
import { part } from '../../../remote/part.ts'
import type { Remote } from '../../../remote/remote.ts'
import type { Layout } from '../../store/layout.ts'
import type { ChunkIndex } from '../../store/packs/chunk-index.ts'
import { CoderPool } from '../../store/packs/coder-pool.ts'
import { readChunks } from '../../store/packs/read-blob.ts'
import type { FileProgress } from '../file-target.ts'
import { openObject } from '../object-bytes.ts'
import { CostlyError, LocalBytesError } from '../receive-blob.ts'
import { type ObjectPiece, type Piece, type SharedRange, sharedRanges } from './pieces.ts'

const READ_BYTES = 1 << 20
/** See `IncomingFile`. */
const WRITTEN_AT_ONCE_BYTES = 1 << 20
// Pieces of two objects often take turns, on each of eight connections. So at most some 32 MB are in memory.
const MOST_HELD_RANGES = 16
/** Of the size of the file. A range can have as many unused bytes as used ones. */
const MOST_READ = 2

/** The parts of a file that is made of pieces of objects, files and pack files. */
export class MappedSource implements PartSource {
  /** Bytes that came from the pack files. */
  unpackedBytes = 0
  /** Bytes that were read from objects. */
  #readBytes = 0
  /** Bytes that were read in vain, from a store that sends objects from their beginning only. */
  #skippedBytes = 0
  readonly #shared: ReadonlyMap<ObjectPiece, SharedRange>
  readonly #held = new Map<SharedRange, Promise<Uint8Array>>()
  readonly #pool: CoderPool
  readonly #size: number

  constructor(
    readonly local: { layout: Layout; index: ChunkIndex },
    readonly remote: Remote,
    readonly pieces: readonly Piece[],
    readonly onBytes: FileProgress,
  ) {
    this.#shared = sharedRanges(pieces)
    this.#size = pieces.at(-1)?.end ?? 0
    const packed = pieces.filter(({ kind }) => kind === 'packed')
    this.#pool = new CoderPool(packed.reduce((sum, { start, end }) => sum + end - start, 0))
  }

  first(span: Span, signal: AbortSignal): Promise<Opened> {
    return this.next(span, signal)
  }

  async next(span: Span, signal: AbortSignal): Promise<Opened> {
    return { body: this.#bytes(span, signal), span }
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  async *#bytes({ start, end }: Span, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (const piece of this.pieces) {
      if (piece.end <= start || piece.start >= end) continue
      const within = { start: Math.max(start, piece.start) - piece.start, end: Math.min(end, piece.end) - piece.start }
      const chunks = piece.kind === 'object' ? this.#object(piece, within, signal) : this.#local(piece, within)
      for await (const chunk of chunks) {
        signal.throwIfAborted()
        yield chunk
      }
    }
  }

  async *#local(piece: Exclude<Piece, ObjectPiece>, { start, end }: Span): AsyncGenerator<Uint8Array> {
    let left = end - start
    try {
      const span = { start, end }
      for await (const chunk of piece.kind === 'file' ? fileBytes(piece, span) : this.#packed(piece, span)) {
        left -= chunk.byteLength
        this.onBytes.kept(chunk.byteLength)
        yield chunk
      }
    } catch (cause) {
      throw new LocalBytesError(messageOf(cause), { cause })
    }
    if (left !== 0) throw new LocalBytesError('A file of the cache became shorter')
  }

  async *#packed({ chunks }: Piece & { kind: 'packed' }, { start, end }: Span): AsyncGenerator<Uint8Array> {
    const ids: ChunkId[] = []
    let [at, first] = [0, 0]
    for (const { id, size } of chunks) {
      if (at < end && at + size > start) {
        if (ids.length === 0) first = at
        ids.push(id)
      }
      at += size
    }
    const { layout, index } = this.local
    const bytes = part(readChunks({ layout, index, pool: this.#pool }, ids), start - first, end - first)
    for await (const chunk of bytes) {
      this.unpackedBytes += chunk.byteLength
      // Its memory is used again. A short chunk may wait until more bytes arrive, before it is written.
      yield chunk.byteLength < WRITTEN_AT_ONCE_BYTES ? Buffer.from(chunk) : chunk
    }
  }

  async *#object(piece: ObjectPiece, within: Span, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const range = this.#shared.get(piece)
    if (range && range.end - range.start > piece.end - piece.start) {
      const bytes = await this.#rangeBytes(range, signal)
      const from = piece.at - range.start
      yield bytes.subarray(from + within.start, from + within.end)
      return
    }
    const span = { start: piece.at + within.start, end: piece.at + within.end }
    yield* this.#counted(await this.#open(piece.source, span, signal))
  }

  /** Ranges are held for the pieces that follow. */
  #rangeBytes(range: SharedRange, signal: AbortSignal): Promise<Uint8Array> {
    const held = this.#held.get(range)
    const bytes = held ?? this.#readRange(range, signal)
    // The one that was used last is dropped last.
    this.#held.delete(range)
    this.#held.set(range, bytes)
    if (held) return held
    bytes.catch(() => this.#held.delete(range))
    const [oldest] = this.#held.keys()
    if (this.#held.size > MOST_HELD_RANGES && oldest) this.#held.delete(oldest)
    return bytes
  }

  async #readRange({ source, start, end }: SharedRange, signal: AbortSignal): Promise<Uint8Array> {
    const chunks: Uint8Array[] = []
    for await (const chunk of this.#counted(await this.#open(source, { start, end }, signal))) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  async *#counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.onBytes.restored(chunk.byteLength)
      this.#readBytes += chunk.byteLength
      // Its map names the same ranges in turn, so that each is read many times.
      if (this.#readBytes > MOST_READ * this.#size) throw new CostlyError(`${this.remote.name} has a costly chunk map`)
      yield chunk
    }
  }

  #open({ digest, size }: Stated, span: Span, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    if (this.remote.store.lacksRanges) {
      this.#skippedBytes += span.start
      // Reading the objects from their beginning would take longer than the whole file.
      if (this.#skippedBytes > this.#size) throw new CostlyError(`${this.remote.name} sends no ranges`)
    }
    const isWhole = span.start === 0 && span.end === size
    return openObject(this.remote, blobKey(digest), { size, ...(!isWhole && { span }) }, signal)
  }
}

/** The bytes of a piece that is in a file. */
function fileBytes({ path, at }: Piece & { kind: 'file' }, { start, end }: Span): AsyncIterable<Uint8Array> {
  return createReadStream(path, { start: at + start, end: at + end - 1, highWaterMark: READ_BYTES })
}
