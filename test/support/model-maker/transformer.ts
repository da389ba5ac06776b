import type { GraphBuilder } from './graph-builder.ts'
import { ElementType } from './onnx-proto.ts'
import type { WeightFormat } from './weight-formats.ts'

export interface TransformerShape {
  readonly layers: number
  readonly width: number
  readonly heads: number
  /** The width of the layer between two linear ones. */
  readonly inner: number
}

/** The parts of a transformer, as torch exports them. Names of weights are those of the parts in torch. */
export class Transformer {
  constructor(
    readonly graph: GraphBuilder,
    readonly format: WeightFormat,
    readonly shape: TransformerShape,
  ) {}

  linear(input: string, name: string, from: number, to: number): string {
    const product = this.format.multiply(this.graph, input, `${name}.weight`, from, to)
    return this.graph.add('Add', [this.graph.weights.random(`${name}.bias`, [to]), product])
  }

  /** LayerNorm in its nine operations. ONNX Runtime fuses them again. */
  layerNorm(input: string, name: string): string {
    const { graph, shape } = this
    const overLast = { axes: { ints: [-1] } }
    const centred = graph.add('Sub', [input, graph.add('ReduceMean', [input], overLast)])
    const variance = graph.add('ReduceMean', [graph.add('Pow', [centred, graph.number(2)])], overLast)
    const deviation = graph.add('Sqrt', [graph.add('Add', [variance, graph.number(1e-5)])])
    const scaled = graph.add('Mul', [
      graph.add('Div', [centred, deviation]),
      graph.weights.filled(`${name}.weight`, shape.width, 1),
    ])
    return graph.add('Add', [scaled, graph.weights.filled(`${name}.bias`, shape.width, 0)])
  }

  feedForward(input: string, name: string): string {
    const { width, inner } = this.shape
    return this.linear(this.gelu(this.linear(input, `${name}.fc1`, width, inner)), `${name}.fc2`, inner, width)
  }

  /** A linear layer whose output is split into heads: [batch, heads, length, width of a head]. */
  project(input: string, name: string): string {
    const { graph, shape } = this
    const projected = this.linear(input, name, shape.width, shape.width)
    const split = graph.integers([0, 0, shape.heads, shape.width / shape.heads])
    return graph.add('Transpose', [graph.add('Reshape', [projected, split])], { perm: { ints: [0, 2, 1, 3] } })
  }

  /** Attention of queries to keys and values, all split into heads. The mask is added to the scores. */
  attend(queries: string, keys: string, values: string, mask: string | undefined): string {
    const { graph, shape } = this
    const turned = graph.add('Transpose', [keys], { perm: { ints: [0, 1, 3, 2] } })
    const root = graph.number(Math.sqrt(shape.width / shape.heads))
    const scores = graph.add('Div', [graph.add('MatMul', [queries, turned]), root])
    const shares = graph.add('Softmax', [mask === undefined ? scores : graph.add('Add', [scores, mask])], {
      axis: { int: -1 },
    })
    const joined = graph.add('Transpose', [graph.add('MatMul', [shares, values])], { perm: { ints: [0, 2, 1, 3] } })
    return graph.add('Reshape', [joined, graph.integers([0, 0, shape.width])])
  }

  /** 0 for tokens and a large negative number for padding: [batch, 1, 1, length]. */
  paddingMask(attentionMask: string): string {
    const { graph, format } = this
    const mask = graph.add('Cast', [graph.add('Unsqueeze', [attentionMask, graph.integers([1, 2])])], {
      to: { int: format.floatType },
    })
    const lowest = graph.number(format.floatType === ElementType.float ? -3.4028234663852886e38 : -65504)
    return graph.add('Mul', [graph.add('Sub', [graph.number(1), mask]), lowest])
  }

  gelu(input: string): string {
    const { graph } = this
    const erf = graph.add('Erf', [graph.add('Div', [input, graph.number(Math.SQRT2)])])
    const doubled = graph.add('Mul', [input, graph.add('Add', [erf, graph.number(1)])])
    return graph.add('Mul', [doubled, graph.number(0.5)])
  }
}
