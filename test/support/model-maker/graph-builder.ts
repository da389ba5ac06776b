import { type Attribute, ElementType, type Graph, type Initializer, type Operation, type Value } from './onnx-proto.ts'
import { float16Bits, floats, int64s } from './tensors.ts'
import { smallWeights, type WeightType } from './weights.ts'

/** The type of a graph's activations. */
export type FloatType = Extract<ElementType, 1 | 10>

/** The initializers of a model. Subgraphs may use them too, so two branches share their weights. */
export class Weights {
  readonly #all = new Map<string, Initializer>()

  constructor(
    readonly floatType: FloatType,
    readonly seed: number,
  ) {}

  get initializers(): Initializer[] {
    return [...this.#all.values()]
  }

  /** Keeps the first initializer of a name. Returns the name. */
  add(initializer: Initializer): string {
    if (!this.#all.has(initializer.name)) this.#all.set(initializer.name, initializer)
    return initializer.name
  }

  /** Random weights with the magnitudes of trained ones. The name decides the numbers. */
  random(name: string, dims: readonly number[], type: WeightType = this.floatType): string {
    const count = dims.reduce((product, dim) => product * dim, 1)
    return this.add({ name, type, dims, content: smallWeights(type, count, this.seed + hashOf(name)) })
  }

  /** A vector with the same number everywhere, as LayerNorm has it before training. */
  filled(name: string, length: number, value: number): string {
    return this.add(this.floats(name, [length], Array<number>(length).fill(value)))
  }

  floats(name: string, dims: readonly number[], values: readonly number[]): Initializer {
    return this.floatType === ElementType.float
      ? floats(name, dims, values)
      : { name, type: this.floatType, dims, content: new Uint8Array(Uint16Array.from(values, float16Bits).buffer) }
  }
}

/** Collects the operations of a graph, in the order in which they run. */
export class GraphBuilder {
  readonly operations: Operation[] = []

  constructor(
    readonly name: string,
    readonly weights: Weights,
  ) {}

  /** Adds an operation with one output. Returns the name of the output. */
  add(op: string, inputs: readonly string[], attributes?: Record<string, Attribute>, output = this.nextName()): string {
    this.operations.push({ op, inputs, outputs: [output], attributes })
    return output
  }

  /** Adds an operator of ONNX Runtime. Returns the name of its output. */
  addOfMicrosoft(op: string, inputs: readonly string[], attributes: Record<string, Attribute>): string {
    const output = this.nextName()
    this.operations.push({ op, domain: 'com.microsoft', inputs, outputs: [output], attributes })
    return output
  }

  /** A number as a `Constant` node, as torch exports it. */
  number(value: number): string {
    return this.constant(this.weights.floats('value', [], [value]))
  }

  /** Integers as a `Constant` node. A single one without `dims` is a scalar. */
  integers(values: readonly number[], dims: readonly number[] = [values.length]): string {
    return this.constant(int64s('value', dims, values))
  }

  constant(tensor: Initializer): string {
    return this.add('Constant', [], { value: { tensor } })
  }

  /** The graph. A subgraph gets no initializers, because it uses those of the main graph. */
  build(inputs: readonly Value[], outputs: readonly Value[], initializers = this.weights.initializers): Graph {
    return { name: this.name, operations: this.operations, initializers, inputs, outputs }
  }

  /** A name for the output of the next operation. */
  nextName(): string {
    return `${this.name}/${this.operations.length}`
  }
}

/** FNV-1a over the characters of a name. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5
  for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
  return hash >>> 0
}
