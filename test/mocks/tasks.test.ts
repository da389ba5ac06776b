import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PipelineType, pipeline } from '@huggingface/transformers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { mockPipeline } from '../../src/mocks/pipeline.ts'
import { mockTranscript } from '../../src/mocks/tasks.ts'
import { ModelCacheError } from '../../src/model/errors.ts'
import { mockTranscriber } from '../../src/providers/mock-transcriber.ts'
import { makeEmbeddingModel, makeWhisperModel, silence, tone } from '../support/model-maker/index.ts'
import { removeFolder } from '../support/remove-folder.ts'

const MEAN = { pooling: 'mean', normalize: true }

/** Calls the mock as a test would call the real pipeline. */
async function run(task: PipelineType, ...input: unknown[]): Promise<unknown> {
  return Reflect.apply(mockPipeline(task, 'org/name'), undefined, input)
}

interface TensorLike {
  dims: number[]
  type: string
  size: number
  data: Float32Array
  tolist(): unknown[]
}

function isTensor(value: unknown): value is TensorLike {
  return typeof value === 'object' && value !== null && 'tolist' in value && 'dims' in value
}

async function embed(input: unknown, options: object = MEAN, model = 'org/name'): Promise<TensorLike> {
  const output: unknown = await Reflect.apply(mockPipeline('feature-extraction', model), undefined, [input, options])
  if (isTensor(output)) return output
  throw new Error('It is no tensor')
}

describe('mock embeddings', () => {
  test('are a tensor with one unit vector for each text', async () => {
    const { dims, type, size, data, tolist } = await embed(['A dog', 'A cat', ''])
    expect({ dims, type, size }).toEqual({ dims: [3, 384], type: 'float32', size: 3 * 384 })
    expect(data).toBeInstanceOf(Float32Array)
    expect(tolist().flat()).toEqual([...data])
    expect(tolist()).toEqual([0, 1, 2].map((text) => [...data.subarray(text * 384, (text + 1) * 384)]))
    for (const text of [0, 1, 2]) {
      const vector = data.subarray(text * 384, (text + 1) * 384)
      expect(Math.hypot(...vector)).toBeCloseTo(1, 5)
    }
  })

  test.each([undefined, {}, { pooling: 'none' }, { normalize: true }])(
    'without pooling (%j) are one vector for each token, with shorter texts padded',
    async (options) => {
      const { dims, size, data, tolist } = await embed(['A dog', 'A dog and a cat', ''], options ?? {})
      expect({ dims, size }).toEqual({ dims: [3, 7, 384], size: 3 * 7 * 384 })
      expect(tolist().flat(2)).toEqual([...data])
      expect(tolist()).toHaveLength(3)
      expect((await embed('A dog', options ?? {})).dims).toEqual([1, 4, 384])
    },
  )

  test.each(['mean', 'cls', 'first_token', 'last_token', 'eos'])(
    'with pooling %s are one vector for each text',
    async (pooling) => {
      expect((await embed('A dog', { pooling })).dims).toEqual([1, 384])
    },
  )

  test('of images are one vector for each image', async () => {
    const one = await run('image-feature-extraction', 'cat.png')
    const two = await run('image-feature-extraction', ['cat.png', 'dog.png'])
    expect([one, two]).toMatchObject([{ dims: [1, 384] }, { dims: [2, 384] }])
  })

  test('are equal for the same text and model, and different for others', async () => {
    const [dog, again] = [await embed('A dog'), await embed(['A dog'])]
    expect(again.tolist()).toEqual(dog.tolist())
    const others = [await embed('A cat'), await embed('A dog', MEAN, 'org/other')]
    for (const other of others) expect(other.tolist()).not.toEqual(dog.tolist())
  })
})

describe('answers of transformers.js with real models of the tests', () => {
  /** The part of an answer that must be equal in the mock: lists, fields, types, and the number of vectors. */
  function shapeOf(value: unknown): unknown {
    if (isTensor(value)) return { type: value.type, vectors: value.dims.slice(0, -1), lists: depthOf(value.tolist()) }
    if (Array.isArray(value)) return value.map(shapeOf)
    if (typeof value !== 'object' || value === null) return typeof value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shapeOf(item)]))
  }

  function depthOf(value: unknown): number {
    return Array.isArray(value) ? 1 + depthOf(value[0]) : 0
  }

  async function folder(): Promise<string> {
    const made = await mkdtemp(join(tmpdir(), 'mock test '))
    onTestFinished(() => removeFolder(made))
    return made
  }

  async function expectAlike(real: object, task: PipelineType, calls: unknown[][]): Promise<void> {
    if (typeof real !== 'function') throw new Error('A pipeline is a function')
    for (const call of calls)
      expect(shapeOf(await run(task, ...call)), JSON.stringify(call)).toEqual(
        shapeOf(await Reflect.apply(real, undefined, call)),
      )
  }

  test('have the shape of the mock embeddings', async () => {
    const { directory } = await makeEmbeddingModel(await folder())
    const real = await pipeline('feature-extraction', directory, { dtype: 'fp32' })
    const poolings = [[], [{}], [{ pooling: 'none' }], [MEAN], [{ pooling: 'cls' }], [{ pooling: 'last_token' }]]
    const texts = ['a dog', ['a dog'], ['a dog', 'a cat']]
    await expectAlike(
      real,
      'feature-extraction',
      texts.flatMap((text) => poolings.map((options) => [text, ...options])),
    )
    await real.dispose()
  })

  test('have the shape of the mock transcripts', async () => {
    const { directory } = await makeWhisperModel(await folder())
    const real = await pipeline('automatic-speech-recognition', directory, { dtype: 'fp32' })
    const [loud, quiet] = [tone(1, 440), silence(1)]
    await expectAlike(real, 'automatic-speech-recognition', [[loud], [[loud]], [[loud, quiet]]])
    await real.dispose()
  })
})

describe('a mock', () => {
  test.each<[PipelineType, unknown[], unknown]>([
    ['text-classification', ['fine'], [{ label: expect.stringMatching(/TIVE$/), score: expect.any(Number) }]],
    ['sentiment-analysis', ['fine'], [{ label: expect.stringMatching(/TIVE$/), score: expect.any(Number) }]],
    ['fill-mask', ['a [MASK]'], [expect.objectContaining({ sequence: 'a mock', token_str: 'mock' })]],
    ['text-generation', ['Once'], [{ generated_text: expect.stringMatching(/^Once /) }]],
    ['summarization', ['long'], [{ summary_text: expect.any(String) }]],
    ['translation', ['hello'], [{ translation_text: expect.any(String) }]],
    ['question-answering', ['who?', 'context'], { answer: expect.any(String), score: expect.any(Number) }],
    ['token-classification', ['Anna'], []],
    ['zero-shot-classification', ['x', ['a', 'b']], { sequence: 'x', labels: ['a', 'b'], scores: [0.5, 0.5] }],
    ['automatic-speech-recognition', [new Float32Array(16_000)], { text: expect.stringMatching(/./) }],
    ['image-classification', ['cat.png'], [{ label: expect.any(String), score: expect.any(Number) }]],
    ['image-to-text', ['cat.png'], [{ generated_text: expect.any(String) }]],
    ['object-detection', ['cat.png'], []],
    [
      'zero-shot-image-classification',
      ['cat.png', ['a', 'b']],
      [
        { label: 'a', score: 0.5 },
        { label: 'b', score: 0.5 },
      ],
    ],
    ['document-question-answering', ['page.png', 'who?'], [{ answer: expect.any(String) }]],
  ])('has the shape of the real answer: %s', async (task, input, shape) => {
    const answer = await run(task, ...input)
    expect(answer).toEqual(shape)
    expect(await run(task, ...input)).toEqual(answer)
  })

  const LABEL = { label: expect.any(String), score: expect.any(Number) }
  const MESSAGES = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hello' },
  ]
  const ANSWER = { role: 'assistant', content: expect.any(String) }

  test.each<[PipelineType, unknown[], unknown]>([
    ['text-classification', [['fine', 'bad']], [LABEL, LABEL]],
    ['summarization', [['a', 'b']], [{ summary_text: expect.any(String) }, { summary_text: expect.any(String) }]],
    ['translation', [['a', 'b']], [{ translation_text: expect.any(String) }, { translation_text: expect.any(String) }]],
    ['text2text-generation', [['a', 'b']], Array(2).fill({ generated_text: expect.any(String) })],
    ['text2text-generation', ['a'], [{ generated_text: expect.any(String) }]],
    ['text-generation', [['a', 'b']], [[{ generated_text: expect.any(String) }], [expect.anything()]]],
    ['text-generation', [MESSAGES], [{ generated_text: [...MESSAGES, ANSWER] }]],
    ['text-generation', [[MESSAGES, MESSAGES]], Array(2).fill([{ generated_text: [...MESSAGES, ANSWER] }])],
    ['automatic-speech-recognition', [[new Float32Array(5), 'a.wav']], Array(2).fill({ text: expect.any(String) })],
    ['image-classification', [['cat.png', 'dog.png']], [[LABEL], [LABEL]]],
    ['audio-classification', [new Float32Array(5)], [LABEL]],
    ['audio-classification', [[new Float32Array(5), new Float32Array(6)]], [[LABEL], [LABEL]]],
    ['fill-mask', [['a [MASK]', 'b [MASK]']], [[expect.anything()], [expect.anything()]]],
    ['token-classification', [['Anna', 'Bob']], [[], []]],
    [
      'question-answering',
      [
        ['who?', 'what?'],
        ['context', 'context'],
      ],
      Array(2).fill(expect.objectContaining({ score: expect.any(Number) })),
    ],
    [
      'zero-shot-classification',
      [['x', 'y'], 'a'],
      ['x', 'y'].map((sequence) => ({ sequence, labels: ['a'], scores: [1] })),
    ],
    ['image-to-text', [['cat.png', 'dog.png']], Array(2).fill([{ generated_text: expect.any(String) }])],
  ])('has the shape of the real answer to several inputs, or to a chat: %s (%j)', async (task, input, shape) => {
    const answer = await run(task, ...input)
    expect(answer).toEqual(shape)
    expect(await run(task, ...input)).toEqual(answer)
  })

  test('answers each of several inputs as it answers that input alone', async () => {
    for (const task of ['text-classification', 'summarization', 'translation', 'text2text-generation'] as const) {
      const alone = [await run(task, 'a'), await run(task, 'b')]
      expect(await run(task, ['a', 'b'])).toEqual(alone.flat())
      expect(alone[0]).not.toEqual(alone[1])
    }
  })

  test('has scores from 0.5 to 1', async () => {
    for (let index = 0; index < 200; index++) {
      const [{ score }] = Object(await run('text-classification', `text ${index}`))
      expect(score).toBeGreaterThanOrEqual(0.5)
      expect(score).toBeLessThan(1)
    }
  })

  test('has its task as a field, and can be disposed of', async () => {
    const pipeline = mockPipeline('sentiment-analysis', 'org/name')
    expect(pipeline.task).toBe('text-classification')
    await pipeline.dispose()
  })

  test('has a different transcript when one sample is different', () => {
    const sound = (change: number) => Float32Array.from({ length: 16_000 }, (_, i) => (i === 9_000 ? change : 0.5))
    const texts = [sound(0), sound(1e-7), sound(-0.5), sound(0).subarray(1), new Float32Array(16_000)].map((samples) =>
      mockTranscript('org/name', samples),
    )
    expect(new Set(texts).size).toBe(texts.length)
    expect(mockTranscript('org/name', sound(0))).toBe(texts[0])
  })

  test('uses only the given part of a buffer', () => {
    const all = Float32Array.from([1, 2, 3, 4])
    const part = mockTranscript('org/name', all.subarray(1, 3))
    expect(part).toBe(mockTranscript('org/name', Float32Array.from([2, 3])))
    expect(part).not.toBe(mockTranscript('org/name', all))
  })

  test('has the same transcript for the same audio', () => {
    expect(mockTranscript('org/name', 5)).toBe(mockTranscript('org/name', 5))
    expect(
      new Set([mockTranscript('org/name', 5), mockTranscript('org/name', 6), mockTranscript('other', 5)]).size,
    ).toBe(3)
  })

  test('that does not exist is an error, which says what to do', () => {
    const make = () => mockPipeline('depth-estimation', 'org/name')
    expect(make).toThrow(ModelCacheError)
    expect(make).toThrow(/"depth-estimation".*MODEL_CACHE_MODE=integration.*`mock`.*\[UNIT_MODE]/)
  })
})

describe('a mock transcriber', () => {
  const samples = tone(2, 440)

  test('returns the same text for the same audio, and another text for other audio or another model', async () => {
    const [one, other] = [mockTranscriber('org/name'), mockTranscriber('org/other')]
    const text = async (transcriber: typeof one, audio: Parameters<typeof one.transcribe>[0]) =>
      (await transcriber.transcribe(audio)).text
    expect(await text(one, samples)).toBe(await text(one, Float32Array.from(samples)))
    const texts = [
      await text(one, samples),
      await text(one, silence(2)),
      await text(other, samples),
      await text(one, 'a.wav'),
      await text(one, 'b.wav'),
      await text(one, new Uint8Array([1])),
      await text(one, new Uint8Array([2])),
    ]
    expect(new Set(texts).size).toBe(texts.length)
  })

  test('opens no file, and takes a path and a URL', async () => {
    const { transcribe } = mockTranscriber('org/name')
    const url = new URL('file:///no/such/file.wav')
    expect((await transcribe(url)).text).toBe((await transcribe(url.href)).text)
    expect(await transcribe('no-such-file.wav')).toEqual({ text: expect.stringContaining('mock transcript') })
  })

  test('adds times when they are asked for, and reports its progress', async () => {
    const seen: unknown[] = []
    const transcriber = mockTranscriber('org/name')
    const { text, chunks } = await transcriber.transcribe(samples, {
      timestamps: true,
      onProgress: (progress) => seen.push(progress),
    })
    expect(chunks).toEqual([{ text, timestamp: [0, 2] }])
    expect(seen).toEqual([{ seconds: 2, totalSeconds: 2, text }])
    expect(await transcriber.dispose()).toBeUndefined()
  })
})
