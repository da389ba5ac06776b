import { ElementType, type Initializer } from './onnx-proto.ts'

// Small tensors of a graph. raw_data is little-endian, as are all machines on which the tests run.

export function floats(name: string, dims: readonly number[], values: readonly number[]): Initializer {
  return { name, type: ElementType.float, dims, content: new Uint8Array(Float32Array.from(values).buffer) }
}

export function int64s(name: string, dims: readonly number[], values: readonly number[]): Initializer {
  return { name, type: ElementType.int64, dims, content: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) }
}

/** A scalar of 8 bits. */
export function byteScalar(name: string, type: ElementType, value: number): Initializer {
  return { name, type, dims: [], content: Uint8Array.of(value) }
}

/** The bits of a number as IEEE 754 half precision, cut off and not rounded. Numbers that are too large become the largest one. */
export function float16Bits(value: number): number {
  const [bits = 0] = new Uint32Array(Float32Array.of(value).buffer)
  const sign = (bits >>> 16) & 0x8000
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15
  if (exponent > 30) return sign | 0x7bff
  // A number that is too small for an ordinary one becomes the smallest of these, so that nothing is divided by 0.
  if (exponent < 1) return value === 0 ? sign : sign | 0x0400
  return sign | (exponent << 10) | ((bits >>> 13) & 0x3ff)
}
