import { varintOf } from '../../src/cache/store/skeletons/protobuf.ts'

/** A part of a file: bytes, or many equal bytes that take no memory. */
export type Piece = Uint8Array | { length: number; fill: number }

/** A file that is not on disk and may have many gigabytes. Counts what is read of it. */
export class VirtualFile {
  readonly size: number
  bytesRead = 0
  largestRead = 0
  readonly #pieces: { start: number; end: number; piece: Piece }[] = []

  constructor(pieces: Piece[], size = lengthOf(pieces)) {
    this.size = size
    let start = 0
    for (const piece of pieces) {
      this.#pieces.push({ start, end: start + piece.length, piece })
      start += piece.length
    }
  }

  /** The bytes that take memory: those beside the weights. */
  get heldBytes(): number {
    return this.#pieces.reduce(
      (sum, { piece }) => sum + ('fill' in piece && !ArrayBuffer.isView(piece) ? 0 : piece.length),
      0,
    )
  }

  /** As the function that the code under test gets. */
  read = (into: Uint8Array, position: number): number => {
    const bytes = this.bytes(position, into.byteLength)
    into.set(bytes)
    this.bytesRead += bytes.length
    this.largestRead = Math.max(this.largestRead, into.byteLength)
    return bytes.length
  }

  bytes(position: number, length: number): Uint8Array {
    const end = Math.min(position + length, this.size)
    const bytes = new Uint8Array(Math.max(0, end - position))
    for (let index = this.#indexAt(position); ; index++) {
      const found = this.#pieces[index]
      if (!found || found.start >= end) return bytes
      const { start, piece } = found
      const [from, to] = [Math.max(start, position), Math.min(found.end, end)]
      if (ArrayBuffer.isView(piece)) bytes.set(piece.subarray(from - start, to - start), from - position)
      else bytes.fill(piece.fill, from - position, to - position)
    }
  }

  /** The first piece that ends after a position. */
  #indexAt(position: number): number {
    let [low, high] = [0, this.#pieces.length]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if ((this.#pieces[middle]?.end ?? 0) > position) high = middle
      else low = middle + 1
    }
    return low
  }
}

export function lengthOf(pieces: Piece[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0)
}

/** The bytes of pieces that all take memory. */
export function bytesOf(pieces: Piece[]): Buffer {
  return Buffer.concat(pieces.filter((piece) => ArrayBuffer.isView(piece)))
}

/** An ONNX file of one tensor of a megabyte, for which a skeleton is made. */
export function mappableOnnx(weights: Uint8Array): Buffer {
  const tensor = [
    varintField(1, weights.length / 4),
    varintField(2, 1),
    textField(8, 'weights'),
    lengthField(9, [weights]),
  ]
  return bytesOf(lengthField(7, lengthField(5, tensor.flat())))
}

export function tag(field: number, wireType: number): Uint8Array {
  return varintOf(field * 8 + wireType)
}

/** A field that has a length: a message, a text, or bytes. */
export function lengthField(field: number, pieces: Piece[], length = lengthOf(pieces)): Piece[] {
  return [tag(field, 2), varintOf(length), ...pieces]
}

export function varintField(field: number, value: number): Piece[] {
  return [tag(field, 0), varintOf(value)]
}

export function textField(field: number, text: string): Piece[] {
  return lengthField(field, [Buffer.from(text)])
}
