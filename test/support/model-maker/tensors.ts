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
