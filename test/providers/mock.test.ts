import type { PipelineType } from '@huggingface/transformers'
import { describe, expect, test } from 'vitest'
import { ModelCacheError } from '../../src/model/errors.ts'
import { mockPipeline, mockTranscript } from '../../src/providers/mock.ts'

/** Calls the mock as a test would call the real pipeline. */
async function run(task: PipelineType, ...input: unknown[]): Promise<unknown> {
  return Reflect.apply(mockPipeline(task, 'org/name'), undefined, input)
}

interface TensorLike {
  dims: number[]
  type: string
  size: number
  data: Float32Array
  tolist(): number[][]
}

function isTensor(value: unknown): value is TensorLike {
  return typeof value === 'object' && value !== null && 'tolist' in value && 'dims' in value
}

async function embed(input: unknown, model = 'org/name'): Promise<TensorLike> {
  const output: unknown = await Reflect.apply(mockPipeline('feature-extraction', model), undefined, [input])
  if (isTensor(output)) return output
  throw new Error('It is no tensor')
}

describe('mock embeddings', () => {
  test('come as a tensor of one unit vector a text', async () => {
    const { dims, type, size, data, tolist } = await embed(['A dog', 'A cat', ''])
    expect({ dims, type, size }).toEqual({ dims: [3, 384], type: 'float32', size: 3 * 384 })
    expect(data).toBeInstanceOf(Float32Array)
    expect(tolist().flat()).toEqual([...data])
    for (const vector of tolist()) {
      expect(vector).toHaveLength(384)
      expect(Math.hypot(...vector)).toBeCloseTo(1, 5)
    }
  })

  test('are the same for the same text and model, and others for others', async () => {
    const [dog, again] = [await embed('A dog'), await embed(['A dog'])]
    expect(again.tolist()).toEqual(dog.tolist())
    const others = [await embed('A cat'), await embed('A dog', 'org/other')]
    for (const other of others) expect(other.tolist()).not.toEqual(dog.tolist())
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
  ])('has the shape of the real answer: %s', async (task, input, shape) => {
    const answer = await run(task, ...input)
    expect(answer).toEqual(shape)
    expect(await run(task, ...input)).toEqual(answer)
  })

  test('scores from a half to one', async () => {
    for (let index = 0; index < 200; index++) {
      const [{ score }] = Object(await run('text-classification', `text ${index}`))
      expect(score).toBeGreaterThanOrEqual(0.5)
      expect(score).toBeLessThan(1)
    }
  })

  test('tells its task, and can be disposed of', async () => {
    const pipeline = mockPipeline('sentiment-analysis', 'org/name')
    expect(pipeline.task).toBe('text-classification')
    await pipeline.dispose()
  })

  test('transcribes the same audio to the same text', () => {
    expect(mockTranscript('org/name', 5)).toBe(mockTranscript('org/name', 5))
    expect(
      new Set([mockTranscript('org/name', 5), mockTranscript('org/name', 6), mockTranscript('other', 5)]).size,
    ).toBe(3)
  })

  test('that there is not is refused, with what to do', () => {
    const make = () => mockPipeline('depth-estimation', 'org/name')
    expect(make).toThrow(ModelCacheError)
    expect(make).toThrow(/"depth-estimation".*MODEL_CACHE_MODE=integration.*`mock`.*\[UNIT_MODE]/)
  })
})
