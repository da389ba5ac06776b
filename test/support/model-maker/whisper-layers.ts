import { GraphBuilder } from './graph-builder.ts'
import { ElementType, type Graph } from './onnx-proto.ts'
import { Transformer } from './transformer.ts'
import { dense } from './weight-formats.ts'
import { MAX_TARGET_POSITIONS, WHISPER_SOUND, type WhisperShape } from './whisper-shape.ts'

const FORMAT = dense(ElementType.float)

interface KeyValue {
  key: string
  value: string
}

/** The layers of Whisper's encoder. Returns the name of their output. */
export function encoderLayers(graph: GraphBuilder, shape: WhisperShape, features: string): string {
  const { width, layers } = shape
  const whisper = new Layers(graph, FORMAT, shape)
  const half = whisper.convolve(whisper.convolve(features, 'conv1', WHISPER_SOUND.melBins, 1), 'conv2', width, 2)
  const turned = graph.add('Transpose', [half], { perm: { ints: [0, 2, 1] } })
  const table = graph.weights.random('embed_positions.weight', [WHISPER_SOUND.sourcePositions, width])
  let hidden = graph.add('Add', [turned, table])
  for (let index = 0; index < layers; index++) {
    const layer = `layers.${index}`
    const input = whisper.layerNorm(hidden, `${layer}.self_attn_layer_norm`)
    const own = whisper.keyValue(input, `${layer}.self_attn`)
    hidden = whisper.addAttention(hidden, input, `${layer}.self_attn`, own)
    hidden = whisper.addFeedForward(hidden, layer)
  }
  return whisper.layerNorm(hidden, 'layer_norm')
}

/**
 * The layers of Whisper's decoder, as one branch of a merged decoder. Both branches use the weights of the main graph, as optimum
 * writes it. `isContinued`: an earlier step left the keys and values of the encoder. The outputs are the logits, and the keys and
 * values in the order of `cacheNames`.
 */
export function decoderBranch(main: GraphBuilder, shape: WhisperShape, tokens: number, isContinued: boolean): Graph {
  const graph = new GraphBuilder(isContinued ? 'continued' : 'first', main.weights)
  const { width, layers } = shape
  const whisper = new Layers(graph, FORMAT, shape)
  const { positions, mask } = whisper.places()
  let hidden = graph.add('Add', [FORMAT.lookUp(graph, 'embed_tokens.weight', 'input_ids', tokens, width), positions])
  const present: string[] = []
  for (let index = 1; index <= layers; index++) {
    const layer = `layers.${index}`
    const past = (side: string) => ({
      key: `past_key_values.${index}.${side}.key`,
      value: `past_key_values.${index}.${side}.value`,
    })
    const input = whisper.layerNorm(hidden, `${layer}.self_attn_layer_norm`)
    const own = whisper.appended(past('decoder'), whisper.keyValue(input, `${layer}.self_attn`))
    hidden = whisper.addAttention(hidden, input, `${layer}.self_attn`, own, mask)
    const crossing = whisper.layerNorm(hidden, `${layer}.encoder_attn_layer_norm`)
    const ofEncoder = isContinued
      ? whisper.copied(past('encoder'))
      : whisper.keyValue('encoder_hidden_states', `${layer}.encoder_attn`)
    hidden = whisper.addAttention(hidden, crossing, `${layer}.encoder_attn`, ofEncoder)
    hidden = whisper.addFeedForward(hidden, layer)
    present.push(own.key, own.value, ofEncoder.key, ofEncoder.value)
  }
  const logits = FORMAT.multiply(graph, whisper.layerNorm(hidden, 'layer_norm'), 'proj_out.weight', width, tokens)
  const values = [logits, ...present].map((name) => ({ name, type: ElementType.float }))
  return graph.build([], values, [])
}

/** The parts of Whisper's layers, which normalize their input and not their output. */
class Layers extends Transformer {
  convolve(input: string, name: string, channels: number, stride: number): string {
    const { graph, shape } = this
    const kernel = graph.weights.random(`${name}.weight`, [shape.width, channels, 3])
    const bias = graph.weights.random(`${name}.bias`, [shape.width])
    const sizes = { kernel_shape: { ints: [3] }, pads: { ints: [1, 1] }, strides: { ints: [stride] } }
    return this.gelu(graph.add('Conv', [input, kernel, bias], sizes))
  }

  keyValue(input: string, attention: string): KeyValue {
    return { key: this.project(input, `${attention}.k_proj`), value: this.project(input, `${attention}.v_proj`) }
  }

  addAttention(hidden: string, input: string, name: string, { key, value }: KeyValue, mask?: string): string {
    const context = this.attend(this.project(input, `${name}.q_proj`), key, value, mask)
    return this.graph.add('Add', [hidden, this.linear(context, `${name}.out_proj`, this.shape.width, this.shape.width)])
  }

  addFeedForward(hidden: string, layer: string): string {
    return this.graph.add('Add', [hidden, this.feedForward(this.layerNorm(hidden, `${layer}.final_layer_norm`), layer)])
  }

  /** Earlier keys and values, and those of this step. */
  appended(past: KeyValue, added: KeyValue): KeyValue {
    const axis = { axis: { int: 2 } }
    return {
      key: this.graph.add('Concat', [past.key, added.key], axis),
      value: this.graph.add('Concat', [past.value, added.value], axis),
    }
  }

  copied({ key, value }: KeyValue): KeyValue {
    return { key: this.graph.add('Identity', [key]), value: this.graph.add('Identity', [value]) }
  }

  /** The vectors of the positions of this step, and the mask that hides later tokens from earlier ones. */
  places(): { positions: string; mask: string } {
    const { graph, shape } = this
    const [zero, one] = [graph.integers([0], []), graph.integers([1], [])]
    const lengthOf = (tensor: string, axis: number) =>
      graph.add('Gather', [graph.add('Shape', [tensor]), graph.integers([axis], [])])
    const start = lengthOf('past_key_values.0.decoder.key', 2)
    const end = graph.add('Add', [start, lengthOf('input_ids', 1)])
    const rows = graph.add('Range', [start, end, one])
    const table = graph.weights.random('embed_positions.weight', [MAX_TARGET_POSITIONS, shape.width])
    const isLater = graph.add('Greater', [
      graph.add('Range', [zero, end, one]),
      graph.add('Unsqueeze', [rows, graph.integers([1])]),
    ])
    const hidden = graph.add('Cast', [isLater], { to: { int: ElementType.float } })
    return {
      positions: graph.add('Gather', [table, rows]),
      mask: graph.add('Mul', [hidden, graph.number(-1e9)]),
    }
  }
}
