import type { Skeleton } from './make-skeleton.ts'
import { ENTRY, GRAPH, MODEL, TENSOR } from './onnx.ts'
import { BYTES, type Field, NotMappable, Walker } from './protobuf.ts'
import { madeOf } from './trailer.ts'

/**
 * True when a skeleton is well-formed: its trailer is right, each tensor that it points to lies inside of the blob of `size` bytes and
 * is in that blob by name, and together the tensors are what was moved.
 */
export function isWellFormed({ bytes, movedBytes, tensors }: Skeleton, blobName: string, size: number): boolean {
  try {
    if (madeOf(bytes)?.size !== size) return false
    const found = externalData(bytes)
    const isInside = found.every(
      ({ location, offset, length }) =>
        location === blobName && Number.isSafeInteger(offset) && length > 0 && offset + length <= size,
    )
    return isInside && found.length === tensors && found.reduce((sum, { length }) => sum + length, 0) === movedBytes
  } catch (error) {
    if (error instanceof NotMappable) return false
    throw error
  }
}

interface External {
  location: string
  offset: number
  length: number
}

/** The places of all tensors of a model that are in another file. */
function externalData(model: Uint8Array): External[] {
  const read = (into: Uint8Array, position: number) => {
    into.set(model.subarray(position, position + into.byteLength))
    return Math.min(into.byteLength, model.byteLength - position)
  }
  const walker = new Walker(read, model.byteLength)
  const within = function* (field: Field, number: number) {
    for (const inner of walker.fields(field.value, field.end))
      if (inner.number === number && inner.wireType === BYTES) yield inner
  }
  const whole: Field = { number: 0, wireType: BYTES, start: 0, value: 0, end: model.byteLength }
  const textOf = (field: Field, number: number) => {
    const [text] = within(field, number)
    return text ? Buffer.from(model.subarray(text.value, text.end)).toString() : ''
  }
  const found: External[] = []
  for (const graph of within(whole, MODEL.graph))
    for (const tensor of within(graph, GRAPH.initializer)) {
      const entries = new Map(
        [...within(tensor, TENSOR.externalData)].map((entry) => [textOf(entry, ENTRY.key), textOf(entry, ENTRY.value)]),
      )
      const [location = '', offset, length] = ['location', 'offset', 'length'].map((key) => entries.get(key))
      if (entries.size > 0) found.push({ location, offset: Number(offset), length: Number(length) })
    }
  return found
}
