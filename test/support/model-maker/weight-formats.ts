import type { FloatType, GraphBuilder } from './graph-builder.ts'
import { type Attribute, ElementType } from './onnx-proto.ts'
import { byteScalar, floats } from './tensors.ts'

/** How a model stores its matrices, and with which operations it multiplies by them. */
export interface WeightFormat {
  readonly floatType: FloatType
  /** `input` [..., from] multiplied by a matrix [from, to]. */
  multiply(graph: GraphBuilder, input: string, name: string, from: number, to: number): string
  /** The rows `ids` of a table. */
  lookUp(graph: GraphBuilder, name: string, ids: string, rows: number, width: number): string
}

/** Plain matrices of floats. */
export function dense(floatType: FloatType): WeightFormat {
  return {
    floatType,
    multiply: (graph, input, name, from, to) => graph.add('MatMul', [input, graph.weights.random(name, [from, to])]),
    lookUp: (graph, name, ids, rows, width) => graph.add('Gather', [graph.weights.random(name, [rows, width]), ids]),
  }
}

type ByteType = Extract<ElementType, 2 | 3>

// A byte of a matrix times this is at most 1/8, as large as the floats of `dense`.
const BYTE_SCALE = 1 / 1024

/** Bytes, with activations that are quantized at run time: what `quantize_dynamic` of ONNX Runtime writes. */
export function dynamicBytes(type: ByteType): WeightFormat {
  return {
    floatType: ElementType.float,
    multiply: (graph, input, name, from, to) => {
      const matrix = graph.weights.random(`${name}_quantized`, [from, to], type)
      const [bytes, scale, zeroPoint] = [`${input}_quantized`, `${input}_scale`, `${input}_zero_point`]
      // Several matrices may have the same input.
      if (!graph.operations.some(({ outputs }) => outputs.includes(bytes)))
        graph.operations.push({ op: 'DynamicQuantizeLinear', inputs: [input], outputs: [bytes, scale, zeroPoint] })
      const product = graph.add('MatMulInteger', [bytes, matrix, zeroPoint, byteZero(graph, type)])
      const sums = graph.add('Cast', [product], { to: { int: ElementType.float } })
      return graph.add('Mul', [sums, graph.add('Mul', [scale, byteScale(graph)])])
    },
    lookUp: lookUpBytes(type),
  }
}

/** Bytes between QuantizeLinear and DequantizeLinear, with one scale for each column: what static quantization writes. */
export function staticBytes(type: ByteType): WeightFormat {
  return {
    floatType: ElementType.float,
    multiply: (graph, input, name, from, to) => {
      const { weights } = graph
      const activation = [
        weights.add(floats('activation_scale', [], [1 / 16])),
        weights.add(byteScalar('activation_zero_point', ElementType.uint8, 128)),
      ]
      const bytes = graph.add('QuantizeLinear', [input, ...activation])
      const rounded = graph.add('DequantizeLinear', [bytes, ...activation])
      const scales = weights.add(floats(`${name}_scales`, [to], Array<number>(to).fill(BYTE_SCALE)))
      const matrix = weights.random(`${name}_quantized`, [from, to], type)
      const columns = graph.add('DequantizeLinear', [matrix, scales], { axis: { int: 1 } })
      return graph.add('MatMul', [rounded, columns])
    },
    lookUp: lookUpBytes(type),
  }
}

// The block sizes of the models on the Hub.
const BLOCK_4_BITS = 32
const BLOCK_BNB4 = 64

/** Numbers of 4 bits with one scale for each 32: `MatMulNBits`. */
export function fourBits(floatType: FloatType): WeightFormat {
  return {
    ...dense(floatType),
    multiply: (graph, input, name, from, to) => {
      const blocks = Math.ceil(from / BLOCK_4_BITS)
      const matrix = graph.weights.random(`${name}_Q4`, [to, blocks, BLOCK_4_BITS / 2], ElementType.uint8)
      const scales = graph.weights.random(`${name}_scales`, [to * blocks])
      return graph.addOfMicrosoft('MatMulNBits', [input, matrix, scales], {
        ...sizes(from, to, BLOCK_4_BITS),
        bits: { int: 4 },
      })
    },
  }
}

/** Numbers of 4 bits as bitsandbytes has them (NF4), with the largest magnitude of each 64: `MatMulBnb4`. */
export function bitsAndBytes(): WeightFormat {
  return {
    ...dense(ElementType.float),
    multiply: (graph, input, name, from, to) => {
      const matrix = graph.weights.random(`${name}_Bnb4`, [Math.ceil((from * to) / 2)], ElementType.uint8)
      const largest = graph.weights.random(`${name}_absmax`, [Math.ceil((from * to) / BLOCK_BNB4)])
      return graph.addOfMicrosoft('MatMulBnb4', [input, matrix, largest], {
        ...sizes(from, to, BLOCK_BNB4),
        quant_type: { int: 1 },
      })
    },
  }
}

function sizes(from: number, to: number, block: number): Record<string, Attribute> {
  return { K: { int: from }, N: { int: to }, block_size: { int: block } }
}

function lookUpBytes(type: ByteType): WeightFormat['lookUp'] {
  return (graph, name, ids, rows, width) => {
    const found = graph.add('Gather', [graph.weights.random(`${name}_quantized`, [rows, width], type), ids])
    return graph.add('DequantizeLinear', [found, byteScale(graph), byteZero(graph, type)])
  }
}

function byteScale({ weights }: GraphBuilder): string {
  return weights.add(floats('byte_scale', [], [BYTE_SCALE]))
}

function byteZero({ weights }: GraphBuilder, type: ByteType): string {
  return weights.add(byteScalar('byte_zero_point', type, type === ElementType.int8 ? 0 : 128))
}
