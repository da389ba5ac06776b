import { ElementType, type Graph, type Initializer, type Operation, type Value } from './onnx-proto.ts'
import { byteScalar, floats, int64s } from './tensors.ts'
import { randomFloats, type WeightType } from './weights.ts'

/** The length of an embedding: short, so that a model of 10 kB still has a row for each token. */
export const EMBEDDING_DIMENSION = 16

/**
 * A BERT's inputs and output around one embedding table. A token's vector grows with its position, so that word order
 * counts after mean pooling; masked tokens give zeros.
 */
export function embeddingGraph(table: Initializer, weightType: WeightType, seed: number): Graph {
  const decoded = decodeRows(weightType)
  return {
    name: 'embedding',
    inputs: ['input_ids', 'attention_mask', 'token_type_ids'].map((name) => value(name, ElementType.int64)),
    outputs: [value('last_hidden_state', ElementType.float, EMBEDDING_DIMENSION)],
    operations: [
      { op: 'Gather', inputs: [table.name, 'input_ids'], outputs: ['rows'] },
      ...decoded.operations,
      { op: 'Gather', inputs: ['token_types', 'token_type_ids'], outputs: ['type_rows'] },
      { op: 'Add', inputs: ['token_rows', 'type_rows'], outputs: ['summed'] },
      {
        op: 'Cast',
        inputs: ['attention_mask'],
        outputs: ['mask'],
        attributes: { to: { int: ElementType.float } },
      },
      { op: 'CumSum', inputs: ['mask', 'sequence_axis'], outputs: ['position'] },
      { op: 'Sqrt', inputs: ['position'], outputs: ['position_weight'] },
      { op: 'Mul', inputs: ['position_weight', 'mask'], outputs: ['weight'] },
      { op: 'Unsqueeze', inputs: ['weight', 'last_axis'], outputs: ['weight_column'] },
      { op: 'Mul', inputs: ['summed', 'weight_column'], outputs: ['last_hidden_state'] },
    ],
    initializers: [
      ...decoded.initializers,
      floats('token_types', [2, EMBEDDING_DIMENSION], randomFloats(2 * EMBEDDING_DIMENSION, seed + 1)),
      int64s('sequence_axis', [], [1]),
      int64s('last_axis', [1], [-1]),
      // The table is last, because it may have 1 GB.
      table,
    ],
  }
}

function value(name: string, type: ElementType, ...more: number[]): Value {
  return { name, type, dims: ['batch_size', 'sequence_length', ...more] }
}

/** The nodes that convert `rows`, as the table stores them, to `token_rows` in float32. */
function decodeRows(type: WeightType): { operations: Operation[]; initializers: Initializer[] } {
  switch (type) {
    case ElementType.float:
      return { operations: [{ op: 'Identity', inputs: ['rows'], outputs: ['token_rows'] }], initializers: [] }
    case ElementType.float16: {
      const to = { int: ElementType.float }
      return {
        operations: [{ op: 'Cast', inputs: ['rows'], outputs: ['token_rows'], attributes: { to } }],
        initializers: [],
      }
    }
    case ElementType.int8:
    case ElementType.uint8: {
      const inputs = ['rows', 'scale', 'zero_point']
      const zeroPoint = type === ElementType.int8 ? 0 : 128
      return {
        operations: [{ op: 'DequantizeLinear', inputs, outputs: ['token_rows'] }],
        initializers: [floats('scale', [], [1 / 64]), byteScalar('zero_point', type, zeroPoint)],
      }
    }
  }
}
