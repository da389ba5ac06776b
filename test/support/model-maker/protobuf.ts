import protobuf from 'protobufjs/minimal.js'

/** Bytes too many to hold at once: `blocks` makes them anew, block by block, each time it is called. */
export interface Payload {
  readonly byteLength: number
  /** A yielded block may be reused for the next one: write it before asking for more. */
  blocks(): Iterable<Uint8Array>
}

/** An encoded protobuf message. Payloads stay unmade until the message is written, so a message may be of 1 GB. */
export type Message = readonly (Uint8Array | Payload)[]

// https://protobuf.dev/programming-guides/encoding/#structure
const VARINT = 0
const LENGTH_DELIMITED = 2

export function byteLengthOf(message: Message): number {
  return message.reduce((sum, part) => sum + part.byteLength, 0)
}

export function int64Field(field: number, value: number): Message {
  return [tagged(field, VARINT).int64(value).finish()]
}

export function stringField(field: number, value: string): Message {
  return [tagged(field, LENGTH_DELIMITED).string(value).finish()]
}

/** A repeated int64 field, packed as proto3 has it. */
export function int64sField(field: number, values: readonly number[]): Message {
  const writer = tagged(field, LENGTH_DELIMITED).fork()
  for (const value of values) writer.int64(value)
  return [writer.ldelim().finish()]
}

export function messageField(field: number, message: Message): Message {
  return [tagged(field, LENGTH_DELIMITED).uint32(byteLengthOf(message)).finish(), ...message]
}

/** A `bytes` field: on the wire it looks as a nested message does. */
export function bytesField(field: number, bytes: Uint8Array | Payload): Message {
  return messageField(field, [bytes])
}

function tagged(field: number, wireType: number): protobuf.Writer {
  return protobuf.Writer.create().uint32((field << 3) | wireType)
}
