import protobuf from 'protobufjs/minimal.js'

/** Bytes that are too many for memory: each call of `blocks` generates them again, block by block. */
export interface Payload {
  readonly byteLength: number
  /** The memory of a yielded block may be reused for the next block: write it before requesting the next one. */
  blocks(): Iterable<Uint8Array>
}

/** An encoded protobuf message. Its payloads are generated when it is written, so a message may have 1 GB. */
export type Message = readonly (Uint8Array | Payload)[]

// https://protobuf.dev/programming-guides/encoding/#structure
const VARINT = 0
const LENGTH_DELIMITED = 2
const FOUR_BYTES = 5

export function byteLengthOf(message: Message): number {
  return message.reduce((sum, part) => sum + part.byteLength, 0)
}

export function int64Field(field: number, value: number): Message {
  return [tagged(field, VARINT).int64(value).finish()]
}

export function stringField(field: number, value: string): Message {
  return [tagged(field, LENGTH_DELIMITED).string(value).finish()]
}

/** A repeated int64 field, packed as in proto3. */
export function int64sField(field: number, values: readonly number[]): Message {
  const writer = tagged(field, LENGTH_DELIMITED).fork()
  for (const value of values) writer.int64(value)
  return [writer.ldelim().finish()]
}

export function floatField(field: number, value: number): Message {
  return [tagged(field, FOUR_BYTES).float(value).finish()]
}

/** A repeated float field, packed as in proto3. */
export function floatsField(field: number, values: readonly number[]): Message {
  return bytesField(field, new Uint8Array(Float32Array.from(values).buffer))
}

export function messageField(field: number, message: Message): Message {
  return [tagged(field, LENGTH_DELIMITED).uint32(byteLengthOf(message)).finish(), ...message]
}

/** A `bytes` field, which is encoded as a nested message is. */
export function bytesField(field: number, bytes: Uint8Array | Payload): Message {
  return messageField(field, [bytes])
}

function tagged(field: number, wireType: number): protobuf.Writer {
  return protobuf.Writer.create().uint32((field << 3) | wireType)
}
