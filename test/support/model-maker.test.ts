import { createHash } from 'node:crypto'
import { mkdtemp, readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { env, ModelRegistry, pipeline } from '@huggingface/transformers'
import * as ort from 'onnxruntime-node'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import wavefile from 'wavefile'
import {
  type EncoderDtype,
  type MadeModel,
  makeEmbeddingModel,
  makeEncoder,
  makeSileroVad,
  makeWhisperModel,
  silence,
  tone,
  type WhisperModelOptions,
  writeWav,
} from './model-maker/index.ts'
import { removeFolder } from './remove-folder.ts'

let root: string
let folder: string

beforeAll(async () => {
  env.fetch = (url) => {
    throw new Error(`A generated model must load offline, but ${url} was requested`)
  }
  root = await mkdtemp(join(tmpdir(), 'model maker '))
})
beforeEach(async () => {
  folder = await mkdtemp(join(root, 'model-'))
})
afterAll(() => removeFolder(root))

const SENTENCES = ['The cat sat on the mat.', 'The mat sat on the cat.', 'A dog', 'zebra quux']

async function embed(directory: string, sentences: string[], dtype: Exclude<EncoderDtype, 'qdq'> = 'fp32') {
  const extract = await pipeline('feature-extraction', directory, { local_files_only: true, dtype })
  const vectors: number[][] = (await extract(sentences, { pooling: 'mean', normalize: true })).tolist()
  await extract.dispose()
  return vectors
}

async function digests({ directory, files }: MadeModel): Promise<Record<string, string>> {
  const entries = files.map(async (file) => {
    const content = await readFile(join(directory, file))
    return [file, createHash('sha256').update(content).digest('hex')] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

describe('the embedding model', () => {
  test('gives each sentence its own unit vector', async () => {
    const { dimension } = await makeEmbeddingModel(folder)
    const vectors = await embed(folder, SENTENCES)
    for (const vector of vectors) {
      expect(vector).toHaveLength(dimension)
      expect(Math.hypot(...vector)).toBeCloseTo(1, 5)
    }
    expect(new Set(vectors.map(String)).size).toBe(SENTENCES.length)
  })

  test('gives a sentence the same vector alone and padded in a batch', async () => {
    await makeEmbeddingModel(folder)
    const [alone] = await embed(folder, ['A dog'])
    const [, , inBatch] = await embed(folder, SENTENCES)
    expect(inBatch).toEqual(alone)
  })

  test('has all files that transformers.js loads', async () => {
    const { files } = await makeEmbeddingModel(folder, { externalData: true })
    const loaded = await ModelRegistry.get_pipeline_files('feature-extraction', folder, { dtype: 'fp32' })
    expect(files).toEqual(expect.arrayContaining(loaded))
    expect(loaded).toContain('onnx/model.onnx_data')
  })

  test('loads every dtype, and their vectors differ', async () => {
    const dtypes = ['fp32', 'fp16', 'q8', 'uint8'] as const
    const { files } = await makeEmbeddingModel(folder, { dtypes })
    expect(files.filter((file) => file.startsWith('onnx/'))).toEqual([
      'onnx/model.onnx',
      'onnx/model_fp16.onnx',
      'onnx/model_quantized.onnx',
      'onnx/model_uint8.onnx',
    ])
    const vectors = await Promise.all(dtypes.map((dtype) => embed(folder, ['A dog'], dtype)))
    expect(new Set(vectors.map(String)).size).toBe(dtypes.length)
  })

  test('gives the same vectors with external data', async () => {
    const inline = await makeEmbeddingModel(join(folder, 'inline'), { dtypes: ['fp32', 'q8'] })
    const external = await makeEmbeddingModel(join(folder, 'external'), { dtypes: ['fp32', 'q8'], externalData: true })
    expect(external.files).toEqual(expect.arrayContaining(['onnx/model.onnx_data', 'onnx/model_quantized.onnx_data']))
    expect(await embed(external.directory, SENTENCES)).toEqual(await embed(inline.directory, SENTENCES))
    expect(await embed(external.directory, SENTENCES, 'q8')).toEqual(await embed(inline.directory, SENTENCES, 'q8'))
  })

  test.each([10_000, 50_000, 5_000_000])('has the requested size of %i bytes', async (size) => {
    const made = await makeEmbeddingModel(folder, { size })
    const sizes = await Promise.all(made.files.map(async (file) => (await stat(join(folder, file))).size))
    expect(Math.abs(sizeOf('onnx/model.onnx') / size - 1)).toBeLessThan(0.05)
    expect(made.totalBytes).toBe(sizes.reduce((sum, bytes) => sum + bytes))
    expect(await embed(folder, SENTENCES)).toHaveLength(SENTENCES.length)

    function sizeOf(file: string): number {
      return sizes[made.files.indexOf(file)] ?? 0
    }
  })

  test('cannot be compressed much', async () => {
    await makeEmbeddingModel(folder, { size: 1_000_000 })
    const model = await readFile(join(folder, 'onnx/model.onnx'))
    expect(gzipSync(model).length / model.length).toBeGreaterThan(0.8)
  })

  test('has the same bytes for the same options, and other bytes for another seed', async () => {
    const options = { size: 3_000_000, dtypes: ['fp32', 'q8'], externalData: true } as const
    const first = await digests(await makeEmbeddingModel(join(folder, 'first'), options))
    const second = await digests(await makeEmbeddingModel(join(folder, 'second'), options))
    const reseeded = await digests(await makeEmbeddingModel(join(folder, 'reseeded'), { ...options, seed: 2 }))
    expect(second).toEqual(first)
    expect(reseeded['onnx/model.onnx_data']).not.toBe(first['onnx/model.onnx_data'])
  })

  test('has the given words in its vocabulary', async () => {
    const { vocabulary } = await makeEmbeddingModel(folder, { vocabulary: ['Zebra'] })
    expect(vocabulary).toContain('zebra')
    expect(vocabulary).not.toContain('cat')
    expect(await embed(folder, ['zebra'])).not.toEqual(await embed(folder, ['cat']))
  })

  test('refuses a size that is too small for its vocabulary, and one that is too large for a protobuf file', async () => {
    await expect(makeEmbeddingModel(folder, { size: 2000 })).rejects.toThrow(RangeError)
    await expect(makeEmbeddingModel(folder, { size: 3e9 })).rejects.toThrow(RangeError)
  })
})

describe('the encoder', () => {
  test('gives other vectors with each dtype, and the same ones with external data', async () => {
    const dtypes = ['fp32', 'fp16', 'q8', 'uint8', 'q4', 'q4f16', 'bnb4'] as const
    await makeEncoder(folder, { dtypes })
    const external = await makeEncoder(join(folder, 'external'), { externalData: true })
    const vectors = await Promise.all(dtypes.map((dtype) => embed(folder, SENTENCES, dtype)))
    for (const vector of vectors.flat()) expect(Math.hypot(...vector)).toBeCloseTo(1, 3)
    expect(new Set(vectors.flat().map(String)).size).toBe(dtypes.length * SENTENCES.length)
    expect(await embed(external.directory, SENTENCES)).toEqual(vectors[0])
  })

  test('has all files that transformers.js loads, and the same bytes for the same options', async () => {
    const options = { dtypes: ['fp32', 'q8'], externalData: true } as const
    const first = await makeEncoder(join(folder, 'first'), options)
    const second = await makeEncoder(join(folder, 'second'), options)
    const loaded = await ModelRegistry.get_pipeline_files('feature-extraction', first.directory, { dtype: 'q8' })
    expect(first.files).toEqual(expect.arrayContaining(loaded))
    expect(await digests(second)).toEqual(await digests(first))
  })
})

describe('the Whisper model', () => {
  async function transcriber(options?: WhisperModelOptions) {
    const made = await makeWhisperModel(folder, options)
    const transcribe = await pipeline('automatic-speech-recognition', folder, { local_files_only: true })
    return { ...made, transcribe }
  }

  test('transcribes sound and silence', async () => {
    const { transcripts, transcribe } = await transcriber()
    const hiss = silence(2).map((_, i) => 0.001 * Math.sin(i * i))
    expect(await transcribe(tone(2, 440))).toEqual({ text: transcripts.sound })
    expect(await transcribe(tone(0.2, 3000))).toEqual({ text: transcripts.sound })
    expect(await transcribe(silence(2))).toEqual({ text: transcripts.silence })
    expect(await transcribe(hiss)).toEqual({ text: transcripts.silence })
    expect(transcripts).toEqual({ sound: ' hello from the model cache', silence: ' only silence' })
    await transcribe.dispose()
  })

  test('transcribes with transformer layers, too', async () => {
    const { transcripts, transcribe } = await transcriber({ size: 'tiny' })
    expect(await transcribe(tone(2, 440))).toEqual({ text: transcripts.sound })
    await transcribe.dispose()
  })

  test('merges the chunks of a long audio', async () => {
    const { transcripts, transcribe } = await transcriber()
    expect(await transcribe(tone(45, 440), { chunk_length_s: 30 })).toEqual({ text: transcripts.sound })
    expect(await transcribe(silence(45), { chunk_length_s: 30 })).toEqual({ text: transcripts.silence })
    const both = new Float32Array([...tone(20, 440), ...silence(40)])
    expect(await transcribe(both, { chunk_length_s: 30 })).toEqual({ text: transcripts.sound + transcripts.silence })
    await transcribe.dispose()
  })

  test('returns timestamps on request', async () => {
    const { transcripts, transcribe } = await transcriber()
    const text = transcripts.sound
    expect(await transcribe(tone(2, 440), { return_timestamps: true })).toEqual({
      text,
      chunks: [{ text, timestamp: [0, 2] }],
    })
    await transcribe.dispose()
  })

  test('has all files that transformers.js loads', async () => {
    const { files } = await makeWhisperModel(folder)
    const loaded = await ModelRegistry.get_pipeline_files('automatic-speech-recognition', folder)
    expect(files).toEqual(expect.arrayContaining(loaded))
    expect(loaded).toContain('onnx/decoder_model_merged.onnx')
  })

  test('has the same bytes for the same seed', async () => {
    const first = await digests(await makeWhisperModel(join(folder, 'first')))
    const second = await digests(await makeWhisperModel(join(folder, 'second')))
    const reseeded = await digests(await makeWhisperModel(join(folder, 'reseeded'), { seed: 2 }))
    expect(second).toEqual(first)
    expect(reseeded['onnx/encoder_model.onnx']).not.toBe(first['onnx/encoder_model.onnx'])
  })
})

test('Silero VAD returns a probability of speech, which is low for silence', async () => {
  const { modelPath, sampleRate, chunkLength, sha256 } = await makeSileroVad(folder)
  const session = await ort.InferenceSession.create(modelPath)
  const probability = async (samples: Float32Array) => {
    const { output } = await session.run({
      input: new ort.Tensor('float32', samples.slice(0, chunkLength), [1, chunkLength]),
      state: new ort.Tensor('float32', new Float32Array(2 * 128), [2, 1, 128]),
      sr: new ort.Tensor('int64', [BigInt(sampleRate)], []),
    })
    return Number(output?.data[0])
  }
  const ofTone = await probability(tone(1, 440))
  expect(ofTone).toBeGreaterThanOrEqual(0)
  expect(ofTone).toBeLessThanOrEqual(1)
  expect(await probability(silence(1))).toBeLessThan(0.1)
  expect(sha256).toBe(
    createHash('sha256')
      .update(await readFile(modelPath))
      .digest('hex'),
  )
  await session.release()
})

test('a WAV file is read back with the same samples', async () => {
  const path = join(folder, 'tone.wav')
  const samples = tone(0.5, 440)
  await writeWav(path, samples, 16_000)
  const wav = new wavefile.WaveFile(await readFile(path))
  wav.toBitDepth('32f')
  const values = wav.getSamples(false, Float32Array)
  expect(values).toHaveLength(8000)
  expect(Math.max(...samples.map((sample, i) => Math.abs(sample - (values[i] ?? 0))))).toBeLessThan(1e-4)
})
