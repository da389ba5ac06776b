import { type MadeModel, writeModelFolder } from './model-folder.ts'
import {
  ElementType,
  encodeModel,
  type Graph,
  type Initializer,
  type OnnxVersions,
  type Operation,
  type Value,
} from './onnx-proto.ts'
import { floats } from './tensors.ts'
import { randomFloats, smallWeights } from './weights.ts'

const CAST = { op: 'Cast', inputs: ['weights'], attributes: { to: { int: ElementType.float } } }
const DEQUANTIZE = { op: 'DequantizeLinear', inputs: ['weights', 'scale'] }
const SCALE = floats('scale', [], [1 / 16])

interface UnusualModel extends Partial<Graph> {
  readonly versions?: OnnxVersions
}

/** A matrix of floats has a megabyte. */
const WIDTH = 512
const CELLS = WIDTH * WIDTH
const SHAPE = [WIDTH, WIDTH]

const [FIRST, SECOND] = [matrix('first', 1), matrix('second', 2)]

/** y = relu(x * first) * second */
const LAYERS: readonly Operation[] = [
  { op: 'MatMul', inputs: ['x', 'first'], outputs: ['product'] },
  { op: 'Relu', inputs: ['product'], outputs: ['positive'] },
  { op: 'MatMul', inputs: ['positive', 'second'], outputs: ['y'] },
]

export const UNUSUAL_MODEL_NAMES = [
  ...(['constant-nodes', 'float-data', 'inputs-with-defaults', 'weights-as-output', 'weights-in-branches'] as const),
  ...(['folded-weights', 'shared-and-unused', 'bfloat16', 'float8', 'int4', 'uint4'] as const),
] as const

export type UnusualModelName = (typeof UNUSUAL_MODEL_NAMES)[number]

const UNUSUAL_MODELS: Record<UnusualModelName, () => UnusualModel> = {
  /** The matrices are values of nodes. */
  'constant-nodes': () => ({
    operations: [constantNode(FIRST), constantNode(SECOND), ...LAYERS],
    initializers: [],
  }),
  /** No raw bytes. */
  'float-data': () => ({ initializers: [inFloatData('first', 1), inFloatData('second', 2)] }),
  /** Until IR version 3 each initializer is also an input, whose value a caller can give. */
  'inputs-with-defaults': () => ({
    inputs: [rows('x'), inputOf(FIRST), inputOf(SECOND)],
    versions: { ir: 3, opset: 13 },
  }),
  'weights-as-output': () => ({ outputs: [rows('y'), inputOf(SECOND)] }),
  /** The branches of an `If` have a matrix each, and share one of the main graph. */
  'weights-in-branches': () => ({ operations: branching(), initializers: [FIRST, SECOND, floats('zero', [], [0])] }),
  /** ONNX Runtime computes the matrix from the weights when it loads the model. */
  'folded-weights': () => ({
    operations: [
      { op: 'Mul', inputs: ['first', 'two'], outputs: ['doubled'] },
      { op: 'Transpose', inputs: ['doubled'], outputs: ['turned'], attributes: { perm: { ints: [1, 0] } } },
      { op: 'MatMul', inputs: ['x', 'turned'], outputs: ['y'] },
    ],
    initializers: [FIRST, floats('two', [], [2])],
  }),
  /** Two names for one matrix, and a matrix that nothing uses. */
  'shared-and-unused': () => ({
    operations: [
      { op: 'Identity', inputs: ['first'], outputs: ['same'] },
      { op: 'MatMul', inputs: ['x', 'first'], outputs: ['product'] },
      { op: 'MatMul', inputs: ['product', 'same'], outputs: ['y'] },
    ],
  }),
  bfloat16: () => wide(ElementType.bfloat16, 16, CAST),
  float8: () => ({ ...wide(ElementType.float8e4m3fn, 8, CAST), versions: { ir: 9, opset: 19 } }),
  int4: () => ({ ...wide(ElementType.int4, 4, DEQUANTIZE), versions: { ir: 10, opset: 21 } }),
  uint4: () => ({ ...wide(ElementType.uint4, 4, DEQUANTIZE), versions: { ir: 10, opset: 21 } }),
}

/**
 * Writes a small model that keeps its weights in an unusual place or form. It has the input `x`, floats of [rows, 512],
 * and the output `y`.
 */
export async function makeUnusualModel(directory: string, name: UnusualModelName): Promise<MadeModel> {
  const { versions, ...parts } = UNUSUAL_MODELS[name]()
  const usual: Graph = {
    name,
    operations: LAYERS,
    initializers: [FIRST, SECOND],
    inputs: [rows('x')],
    outputs: [rows('y')],
  }
  return writeModelFolder(directory, {
    'config.json': { json: { model_type: 'custom' } },
    'onnx/model.onnx': encodeModel({ ...usual, ...parts }, versions),
  })
}

function matrix(name: string, seed: number): Initializer {
  return { name, type: ElementType.float, dims: SHAPE, content: smallWeights(ElementType.float, CELLS, seed) }
}

function inFloatData(name: string, seed: number): Initializer {
  const row = randomFloats(WIDTH, seed)
  const floatData = Array.from({ length: CELLS }, (_, index) => ((row[index % WIDTH] ?? 0) * (index % 97)) / 970)
  return { name, type: ElementType.float, dims: SHAPE, content: { floatData } }
}

function constantNode(tensor: Initializer): Operation {
  return { op: 'Constant', inputs: [], outputs: [tensor.name], attributes: { value: { tensor } } }
}

function rows(name: string): Value {
  return { name, type: ElementType.float, dims: ['rows', WIDTH] }
}

function inputOf({ name, type, dims }: Initializer): Value {
  return { name, type, dims }
}

function branching(): Operation[] {
  const branches = { then_branch: { graph: branch('then', 3) }, else_branch: { graph: branch('else', 5) } }
  return [
    { op: 'MatMul', inputs: ['x', 'first'], outputs: ['product'] },
    { op: 'ReduceSum', inputs: ['product'], outputs: ['sum'], attributes: { keepdims: { int: 0 } } },
    { op: 'Greater', inputs: ['sum', 'zero'], outputs: ['is_positive'] },
    { op: 'If', inputs: ['is_positive'], outputs: ['y'], attributes: branches },
  ]
}

function branch(name: string, seed: number): Graph {
  const own = matrix(`${name}_weights`, seed)
  const [product, output] = [`${name}_product`, `${name}_y`]
  const operations = [
    { op: 'MatMul', inputs: ['product', own.name], outputs: [product] },
    { op: 'MatMul', inputs: [product, 'second'], outputs: [output] },
  ]
  return { name, operations, initializers: [own], inputs: [], outputs: [rows(output)] }
}

/** A matrix of another type, which `operation` converts to floats. It has a megabyte even with 4 bits a number. */
function wide(type: ElementType, bits: number, operation: Omit<Operation, 'outputs'>): UnusualModel {
  const width = 9 * WIDTH
  // None of these bytes makes an infinite number in any of the types.
  const content = new Uint8Array((WIDTH * width * bits) / 8).map((_, index) => 0x38 + (index % 7) + (index % 3) * 0x80)
  return {
    operations: [
      { ...operation, outputs: ['matrix'] },
      { op: 'MatMul', inputs: ['x', 'matrix'], outputs: ['y'] },
    ],
    initializers: [
      { name: 'weights', type, dims: [WIDTH, width], content },
      ...(operation === DEQUANTIZE ? [SCALE] : []),
    ],
    outputs: [{ name: 'y', type: ElementType.float, dims: ['rows', width] }],
  }
}
