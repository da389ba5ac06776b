import { unitVector } from './seed.ts'

/** The dimension of mock embeddings: that of all-MiniLM-L6-v2. */
export const DIMENSION = 384

export interface TensorData {
  type: 'float32' | 'int64'
  data: Float32Array | BigInt64Array
  dims: number[]
}

/** Makes the tensor that a mock returns. */
export type MakeTensor = (tensor: TensorData) => unknown

/** An object with the data fields of a transformers.js Tensor, for tests that do not load transformers.js. */
export function plainTensor({ type, data, dims }: TensorData) {
  return { dims, type, location: 'cpu', data, size: data.length, tolist: () => nested([...data], dims) }
}

/** One unit vector for each seed. */
export function vectors(seeds: number[], dims: number[]): TensorData {
  return { type: 'float32', data: Float32Array.from(seeds.flatMap((seed) => unitVector(seed, DIMENSION))), dims }
}

function nested<Value>(data: Value[], dims: number[]): unknown[] {
  const [count = 0, ...rest] = dims
  if (rest.length === 0) return data
  const length = data.length / count
  return Array.from({ length: count }, (_, index) => nested(data.slice(index * length, (index + 1) * length), rest))
}
