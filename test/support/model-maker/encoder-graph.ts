import { GraphBuilder, Weights } from './graph-builder.ts'
import { ElementType, type Graph, type Value } from './onnx-proto.ts'
import { Transformer, type TransformerShape } from './transformer.ts'
import type { WeightFormat } from './weight-formats.ts'

export interface EncoderShape extends TransformerShape {
  /** Tokens of the vocabulary. */
  readonly tokens: number
}

export const MAX_POSITIONS = 512

/** A BERT: the graph that torch exports of it. */
export function encoderGraph(shape: EncoderShape, format: WeightFormat, seed: number): Graph {
  const { layers, width, tokens } = shape
  const graph = new GraphBuilder('main', new Weights(format.floatType, seed))
  const bert = new Transformer(graph, format, shape)
  const words = format.lookUp(graph, 'embeddings.word_embeddings.weight', 'input_ids', tokens, width)
  const types = format.lookUp(graph, 'embeddings.token_type_embeddings.weight', 'token_type_ids', 2, width)
  const embedded = graph.add('Add', [graph.add('Add', [words, types]), positions(graph, width)])
  const mask = bert.paddingMask('attention_mask')
  let hidden = bert.layerNorm(embedded, 'embeddings.LayerNorm')
  for (let index = 0; index < layers; index++) {
    const layer = `encoder.layer.${index}`
    const project = (part: string) => bert.project(hidden, `${layer}.attention.self.${part}`)
    const context = bert.attend(project('query'), project('key'), project('value'), mask)
    const attention = bert.linear(context, `${layer}.attention.output.dense`, width, width)
    const attended = bert.layerNorm(graph.add('Add', [attention, hidden]), `${layer}.attention.output.LayerNorm`)
    const output = graph.add('Add', [bert.feedForward(attended, layer), attended])
    hidden = bert.layerNorm(output, `${layer}.output.LayerNorm`)
  }
  graph.add('Cast', [hidden], { to: { int: ElementType.float } }, 'last_hidden_state')
  const inputs = ['input_ids', 'attention_mask', 'token_type_ids'].map((name) => value(name, ElementType.int64))
  return graph.build(inputs, [value('last_hidden_state', ElementType.float, width)])
}

/** The learned vectors of as many positions as there are tokens. */
function positions(graph: GraphBuilder, width: number): string {
  const table = graph.weights.random('embeddings.position_embeddings.weight', [1, MAX_POSITIONS, width])
  const length = graph.add('Gather', [graph.add('Shape', ['input_ids']), graph.integers([1], [])])
  const end = graph.add('Unsqueeze', [length, graph.integers([0])])
  return graph.add('Slice', [table, graph.integers([0]), end, graph.integers([1])])
}

function value(name: string, type: ElementType, ...more: number[]): Value {
  return { name, type, dims: ['batch_size', 'sequence_length', ...more] }
}
