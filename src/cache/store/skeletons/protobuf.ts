// The wire format of protobuf, read through a small window: https://protobuf.dev/programming-guides/encoding/

/** Fills `into` with the bytes at `position`. Returns how many there were: fewer only at the end of the file. */
export type Read = (into: Uint8Array, position: number) => number

/** The types of a field's value on the wire. Groups (3 and 4) are not among them: ONNX has none. */
export const VARINT = 0
export const FIXED64 = 1
export const BYTES = 2
export const FIXED32 = 5

/** A model for which no skeleton is made. The message is the reason. */
export class NotMappable extends Error {
  override readonly name = 'NotMappable'
}

/** A field of a message, by its positions in the file. */
export interface Field {
  number: number
  wireType: number
  /** Where the tag begins. */
  start: number
  /** Where the value begins: after the tag, and after the length of `BYTES`. */
  value: number
  end: number
}

// Larger than the head of a tensor (name, type, shape), and small enough that little of its weights is read.
const WINDOW = 4096
// A message with more fields than any real model has is not walked to its end.
const MOST_FIELDS = 1_000_000
const LARGEST_TAG = 0xffff_ffff

/** Walks the fields of messages in a file. Skips the values, so that the bytes of large fields are not read. */
export class Walker {
  readonly #window = new Uint8Array(WINDOW)
  #windowAt = 0
  #windowEnd = 0
  #position = 0
  #fields = 0

  constructor(
    readonly read: Read,
    readonly size: number,
  ) {}

  /** The fields of the message between two positions. Throws `NotMappable` when it is no well-formed message. */
  *fields(start: number, end: number): Generator<Field> {
    for (let at = start; at < end; ) {
      if (++this.#fields > MOST_FIELDS) throw new NotMappable('it has too many fields')
      const field = this.#field(at, end)
      yield field
      at = field.end
    }
  }

  /** The position after the number that was read last. */
  get position(): number {
    return this.#position
  }

  /** The number that begins at a position. Negative numbers and others beyond 2^53 become infinite. */
  varint(at: number, end: number): number {
    this.#position = at
    return this.#varint(end)
  }

  /** Copies the bytes that begin at a position. Throws `NotMappable` when the file ends before `into` is full. */
  copy(into: Uint8Array, start: number): void {
    if (this.read(into, start) !== into.byteLength) throw cutOff()
  }

  #field(start: number, end: number): Field {
    this.#position = start
    const tag = this.#varint(end)
    if (tag > LARGEST_TAG) throw new NotMappable('it is no ONNX file')
    const number = Math.floor(tag / 8)
    const wireType = tag % 8
    if (number === 0) throw new NotMappable('it is no ONNX file')
    const length = this.#lengthOf(wireType, end)
    const value = this.#position
    if (wireType !== VARINT && length > end - value) throw cutOff()
    return { number, wireType, start, value, end: value + length }
  }

  /** The length of the value that begins at the current position. For `BYTES`, moves to the position after the length. */
  #lengthOf(wireType: number, end: number): number {
    if (wireType === FIXED64) return 8
    if (wireType === FIXED32) return 4
    if (wireType === BYTES) return this.#varint(end)
    if (wireType !== VARINT) throw new NotMappable(`it has a field of the unknown wire type ${wireType}`)
    const start = this.#position
    this.#varint(end)
    const length = this.#position - start
    this.#position = start
    return length
  }

  #varint(end: number): number {
    let value = 0
    let factor = 1
    for (let count = 0; count < 10; count++) {
      if (this.#position >= end) throw cutOff()
      const byte = this.#byteAt(this.#position++)
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : value
      factor *= 0x80
    }
    throw new NotMappable('it has a number of more than ten bytes')
  }

  #byteAt(position: number): number {
    if (position < this.#windowAt || position >= this.#windowEnd) {
      const end = Math.min(position + WINDOW, this.size)
      this.copy(this.#window.subarray(0, end - position), position)
      this.#windowAt = position
      this.#windowEnd = end
    }
    return this.#window[position - this.#windowAt] ?? 0
  }
}

function cutOff(): NotMappable {
  return new NotMappable('it is cut off')
}

/** A number as protobuf writes it. */
export function varintOf(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return Uint8Array.from([...bytes, rest])
}

/** A field whose value is a number. */
export function numberField(number: number, value: number): Uint8Array {
  return Buffer.concat([varintOf(number * 8 + VARINT), varintOf(value)])
}

/** The tag and the length of a field of bytes. */
export function bytesHead(number: number, length: number): Uint8Array {
  return Buffer.concat([varintOf(number * 8 + BYTES), varintOf(length)])
}

/** A field whose value is a text or a message. */
export function bytesField(number: number, value: string | Uint8Array): Uint8Array {
  const bytes = Buffer.from(value)
  return Buffer.concat([bytesHead(number, bytes.length), bytes])
}
