// The parts of ONNX that a skeleton needs: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto

export const MODEL = { graph: 7, metadata: 14 } as const
export const GRAPH = { initializer: 5 } as const
export const TENSOR = {
  dims: 1,
  dataType: 2,
  name: 8,
  rawData: 9,
  docString: 12,
  externalData: 13,
  dataLocation: 14,
} as const
/** A pair of texts, such as one entry of a tensor's external data or of the model's metadata. */
export const ENTRY = { key: 1, value: 2 } as const
/** The value of `dataLocation` for data in another file. */
export const EXTERNAL = 1

/**
 * The types that are moved, with the bits of one element: float, float16, bfloat16, and 8 and 4 bit types. Other types stay, because
 * ONNX Runtime reads shapes and indices (int64, int32, bool) while it loads the graph.
 */
export const MOVABLE_BITS: ReadonlyMap<number, number> = new Map([
  ...[1].map((type) => [type, 32] as const),
  ...[10, 16].map((type) => [type, 16] as const),
  // uint8, int8, and the four float8 types.
  ...[2, 3, 17, 18, 19, 20].map((type) => [type, 8] as const),
  // uint4 and int4, two in a byte.
  ...[21, 22].map((type) => [type, 4] as const),
])
