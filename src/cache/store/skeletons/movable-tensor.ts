import { EXTERNAL, MOVABLE_BITS, TENSOR } from './onnx.ts'
import { BYTES, type Field, NotMappable, VARINT, type Walker } from './protobuf.ts'

// A tensor in another file costs ONNX Runtime 40 µs or more to open and to map. Copying 64 kB takes as long.
const SMALLEST_MOVED_BYTES = 64 << 10
const LONGEST_SHAPE_BYTES = 256

/** The only fields that a tensor may have beside its data. A tensor with other fields stays as it is. */
const PLAIN_FIELDS: readonly number[] = [TENSOR.dims, TENSOR.dataType, TENSOR.name, TENSOR.docString]

/**
 * The field with the data of a tensor that can be read from the original file. Undefined for a tensor that stays in the skeleton:
 * a small one, one whose type is not moved, or one whose data does not fit its shape. Throws `NotMappable` when the data is in
 * another file already: a skeleton in another folder would not find that file.
 */
export function movableData(walker: Walker, tensor: Field): Field | undefined {
  let data: Field | undefined
  let elements = 1
  let dataType = 0
  let isPlain = true
  for (const field of walker.fields(tensor.value, tensor.end)) {
    const { number, wireType, value, end } = field
    if (isExternal(walker, field)) throw new NotMappable('its weights are in a file of their own')
    if (number === TENSOR.rawData && wireType === BYTES && !data) data = field
    else if (number === TENSOR.dims) elements *= product(walker, field)
    else if (number === TENSOR.dataType && wireType === VARINT) dataType = walker.varint(value, end)
    else if (!PLAIN_FIELDS.includes(number) || wireType !== BYTES) isPlain = false
  }
  if (!data || !isPlain || data.end - data.value < SMALLEST_MOVED_BYTES) return undefined
  const bits = MOVABLE_BITS.get(dataType)
  return bits !== undefined && Math.ceil((elements * bits) / 8) === data.end - data.value ? data : undefined
}

function isExternal(walker: Walker, { number, wireType, value, end }: Field): boolean {
  if (number === TENSOR.externalData) return true
  return number === TENSOR.dataLocation && wireType === VARINT && walker.varint(value, end) === EXTERNAL
}

/** The product of the dimensions in a field: one dimension, or several that are packed. Not a number for another field. */
function product(walker: Walker, { wireType, value, end }: Field): number {
  if (wireType === VARINT) return walker.varint(value, end)
  if (wireType !== BYTES || end - value > LONGEST_SHAPE_BYTES) return Number.NaN
  let elements = 1
  for (let at = value; at < end; ) {
    const dimension = walker.varint(at, end)
    elements *= dimension
    at = walker.position
  }
  return elements
}
