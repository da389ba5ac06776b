import type { TensorData } from '../tensor.ts'
import { callable, type Library, prototypeOf, tensorMaker } from './library.ts'
import { mockTokenizer } from './tokenizer.ts'

const IMAGE = [3, 224, 224]
// The log-mel spectrogram of Whisper: 80 bands, 30 seconds.
const SPECTROGRAM = [80, 3000]

interface Image {
  data: ArrayLike<number>
  width: number
}

/** A processor without a model. It makes tokens of texts, and tensors with the numbers of images and sounds. */
export function mockProcessor(library: Library, name: string): object {
  const tensor = tensorMaker(library)
  const forImages = (input: unknown) => ({ pixel_values: tensor(imagesOf(input)) })
  const soundKey = name.startsWith('Wav2Vec2') ? 'input_values' : 'input_features'
  const forSounds = (input: unknown) => ({ [soundKey]: tensor(soundOf(input)) })
  if (/ImageProcessor$/.test(name)) return part(library, name, forImages)
  // Older models have a feature extractor for images.
  if (/FeatureExtractor$/.test(name))
    return part(library, name, (input) => (isSound(input) ? forSounds : forImages)(input))
  const image_processor = part(library, 'ImageProcessor', forImages)
  const feature_extractor = part(library, 'FeatureExtractor', forSounds)
  const tokenizer = mockTokenizer(library, 'AutoTokenizer')
  const call = async (...inputs: unknown[]) => {
    const made = inputs.map((input) => {
      if (isText(input)) return Reflect.apply(Reflect.get(tokenizer, '_call'), tokenizer, [input, { padding: true }])
      if (isSound(input)) return Reflect.apply(Reflect.get(feature_extractor, '_call'), feature_extractor, [input])
      return isImages(input) ? Reflect.apply(Reflect.get(image_processor, '_call'), image_processor, [input]) : {}
    })
    return Object.assign({}, ...(await Promise.all(made)))
  }
  const components = { tokenizer, image_processor, feature_extractor }
  return callable(prototypeOf(library, name.startsWith('Auto') ? 'Processor' : name), call, { components, config: {} })
}

function part(library: Library, name: string, call: (input: unknown) => object): object {
  return callable(prototypeOf(library, name.replace(/^Auto/, '')), async (input) => call(input), { config: {} })
}

function imagesOf(input: unknown): TensorData {
  const images = listOf(input).filter(isImage)
  const data = images.flatMap(({ data }) => filled(data, IMAGE, (value) => value / 255))
  return { type: 'float32', data: Float32Array.from(data), dims: [images.length, ...IMAGE] }
}

function soundOf(input: unknown): TensorData {
  const samples = isSound(input) ? input : new Float32Array()
  return { type: 'float32', data: Float32Array.from(filled(samples, SPECTROGRAM)), dims: [1, ...SPECTROGRAM] }
}

/** Fills the dimensions with the given numbers, repeated as often as needed. */
function filled(values: ArrayLike<number>, dims: number[], of: (value: number) => number = (value) => value): number[] {
  const size = dims.reduce((product, length) => product * length, 1)
  return Array.from({ length: size }, (_, index) => of(values[index % Math.max(1, values.length)] ?? 0))
}

function listOf(input: unknown): unknown[] {
  return Array.isArray(input) ? input : [input]
}

function isText(input: unknown): boolean {
  return listOf(input).every((item) => typeof item === 'string')
}

// By its name: the class of a vm context is another one.
function isSound(input: unknown): input is ArrayLike<number> {
  return /^\[object Float(32|64)Array\]$/.test(Object.prototype.toString.call(input))
}

function isImage(input: unknown): input is Image {
  return typeof input === 'object' && input !== null && 'width' in input && 'data' in input
}

function isImages(input: unknown): boolean {
  return listOf(input).some(isImage)
}
