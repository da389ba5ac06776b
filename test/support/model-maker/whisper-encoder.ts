import { ElementType, type Graph, type Value } from './onnx-proto.ts'
import { floats } from './tensors.ts'
import { randomFloats } from './weights.ts'

export const WHISPER_SHAPE = {
  melBins: 80,
  frames: 3000,
  /** Half of the frames, as after Whisper's second convolution. */
  sourcePositions: 1500,
  width: 16,
  heads: 2,
} as const

/** The channel of the encoder's output with the loudness; the other channels are multiples of it. */
export const LOUDNESS_CHANNEL = 0

/** The encoder: its loudness is the loudest mel bin of each two frames. */
export function encoderGraph(seed: number): Graph {
  const { melBins, frames, width } = WHISPER_SHAPE
  return {
    name: 'encoder',
    inputs: [{ name: 'input_features', type: ElementType.float, dims: ['batch_size', melBins, frames] }],
    outputs: [hiddenStates('last_hidden_state')],
    operations: [
      { op: 'ReduceMax', inputs: ['input_features'], outputs: ['peaks'], attributes: { axes: { ints: [1] } } },
      {
        op: 'MaxPool',
        inputs: ['peaks'],
        outputs: ['pooled'],
        attributes: { kernel_shape: { ints: [2] }, strides: { ints: [2] } },
      },
      { op: 'Transpose', inputs: ['pooled'], outputs: ['column'], attributes: { perm: { ints: [0, 2, 1] } } },
      { op: 'Mul', inputs: ['column', 'channels'], outputs: ['last_hidden_state'] },
    ],
    initializers: [floats('channels', [width], randomFloats(width, seed).with(LOUDNESS_CHANNEL, 1))],
  }
}

/** The encoder's output, as it leaves the encoder and enters the decoder. */
export function hiddenStates(name: string): Value {
  return { name, type: ElementType.float, dims: ['batch_size', 'encoder_sequence_length', WHISPER_SHAPE.width] }
}
