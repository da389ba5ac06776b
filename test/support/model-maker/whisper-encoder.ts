import { GraphBuilder, Weights } from './graph-builder.ts'
import { ElementType, type Graph, type Operation, type Value } from './onnx-proto.ts'
import { floats } from './tensors.ts'
import { randomFloats } from './weights.ts'
import { encoderLayers } from './whisper-layers.ts'
import { WHISPER_SOUND, type WhisperShape } from './whisper-shape.ts'

/** The channel of the encoder's output with the loudness; the other channels are multiples of it. */
export const LOUDNESS_CHANNEL = 0

/** The encoder: its loudness is the loudest mel bin of each two frames. Layers change the other channels a little. */
export function encoderGraph(shape: WhisperShape, seed: number): Graph {
  const { melBins, frames } = WHISPER_SOUND
  const { width, layers } = shape
  const graph = new GraphBuilder('encoder', new Weights(ElementType.float, seed))
  graph.weights.add(floats('channels', [width], randomFloats(width, seed).with(LOUDNESS_CHANNEL, 1)))
  graph.operations.push(...loudness(layers === 0 ? 'last_hidden_state' : 'loudness'))
  if (layers > 0) {
    // The loudness must stay exact.
    const share = floats(
      'share',
      [width],
      Array<number>(width)
        .fill(1 / 64)
        .with(LOUDNESS_CHANNEL, 0),
    )
    const changes = graph.add('Mul', [encoderLayers(graph, shape, 'input_features'), graph.weights.add(share)])
    graph.add('Add', ['loudness', changes], {}, 'last_hidden_state')
  }
  const features = { name: 'input_features', type: ElementType.float, dims: ['batch_size', melBins, frames] }
  return graph.build([features], [hiddenStates('last_hidden_state', width)])
}

/** The encoder's output, as it leaves the encoder and enters the decoder. */
export function hiddenStates(name: string, width: number): Value {
  return { name, type: ElementType.float, dims: ['batch_size', 'encoder_sequence_length', width] }
}

function loudness(output: string): Operation[] {
  return [
    { op: 'ReduceMax', inputs: ['input_features'], outputs: ['peaks'], attributes: { axes: { ints: [1] } } },
    {
      op: 'MaxPool',
      inputs: ['peaks'],
      outputs: ['pooled'],
      attributes: { kernel_shape: { ints: [2] }, strides: { ints: [2] } },
    },
    { op: 'Transpose', inputs: ['pooled'], outputs: ['column'], attributes: { perm: { ints: [0, 2, 1] } } },
    { op: 'Mul', inputs: ['column', 'channels'], outputs: [output] },
  ]
}
