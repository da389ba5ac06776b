import type { PipelineType } from '@huggingface/transformers'
import { ModelCacheError } from '../model/errors.ts'
import { canonicalTask } from '../model/task.ts'
import type { AnyPipeline } from './transformers.ts'

/** The dimension of mock embeddings: that of all-MiniLM-L6-v2. */
const DIMENSION = 384
const LABELS: Record<string, [string, string]> = {
  'text-classification': ['POSITIVE', 'NEGATIVE'],
  'image-classification': ['cat', 'dog'],
  'audio-classification': ['yes', 'no'],
}

type Call = (input: unknown, ...rest: unknown[]) => Promise<unknown>

/** A pipeline in the shape of the real one: deterministic, instant, and without a model. Throws `UNIT_MODE`. */
export function mockPipeline(task: PipelineType, model: string): AnyPipeline {
  const name = canonicalTask(task)
  const call = mockCall(name, model)
  if (!call)
    throw new ModelCacheError({
      code: 'UNIT_MODE',
      asked: `Pipeline "${task}"`,
      reason: 'The mode is `unit`, and this task has no mock.',
      nextStep: 'Run with `mode: "integration"` (MODEL_CACHE_MODE=integration), or register a provider with a `mock`.',
    })
  const pipeline = Object.assign(call, {
    task: name,
    model: { config: { _name_or_path: model } },
    dispose: async () => [],
  })
  return pipeline as unknown as AnyPipeline
}

/** The mock transcript of some audio: the same for the same audio. */
export function mockTranscript(model: string, audio: string | number): string {
  return `mock transcript ${hash(`${model} ${audio}`).toString(16)}`
}

function mockCall(task: string, model: string): Call | undefined {
  const seeded = (input: unknown) => hash(`${model}\0${task}\0${typeof input === 'string' ? input : describe(input)}`)
  const score = (input: unknown) => 0.5 + (seeded(input) % 1000) / 2002
  const each = (answer: (input: unknown) => unknown): Call => {
    return async (input) => (Array.isArray(input) ? input.map(answer) : answer(input))
  }
  const labels = LABELS[task]
  if (labels) return each((input) => [{ label: labels[seeded(input) % 2], score: score(input) }])
  switch (task) {
    case 'feature-extraction':
    case 'image-feature-extraction':
      return async (input) => embeddings((Array.isArray(input) ? input : [input]).map(seeded))
    case 'automatic-speech-recognition':
      return async (input) => ({ text: mockTranscript(model, describe(input)) })
    case 'text-generation':
    case 'text2text-generation':
      return each((input) => [{ generated_text: `${describeText(input)} mock ${seeded(input).toString(16)}` }])
    case 'summarization':
      return each((input) => [{ summary_text: `mock summary ${seeded(input).toString(16)}` }])
    case 'translation':
      return each((input) => [{ translation_text: `mock translation ${seeded(input).toString(16)}` }])
    case 'fill-mask':
      return each((input) => [
        { score: score(input), token: 0, token_str: 'mock', sequence: describeText(input).replace('[MASK]', 'mock') },
      ])
    case 'question-answering':
      return async (question) => ({ answer: 'mock answer', score: score(question) })
    case 'token-classification':
    case 'object-detection':
      return async () => []
    case 'zero-shot-classification':
      return async (sequence, candidates) => ({
        sequence,
        labels: Array.isArray(candidates) ? candidates : [],
        scores: Array.isArray(candidates) ? candidates.map(() => 1 / candidates.length) : [],
      })
    case 'image-to-text':
      return async (input) => [{ generated_text: `mock caption ${seeded(input).toString(16)}` }]
    default:
      return undefined
  }
}

/** Unit vectors, in the shape of a transformers.js Tensor. */
function embeddings(seeds: number[]) {
  const data = new Float32Array(seeds.length * DIMENSION)
  for (const [row, seed] of seeds.entries()) {
    let state = seed || 1
    const vector = Array.from({ length: DIMENSION }, () => {
      // xorshift32: enough for numbers that differ and stay the same.
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      return (state >>> 0) / 2 ** 31 - 1
    })
    const norm = Math.hypot(...vector)
    data.set(
      vector.map((value) => value / norm),
      row * DIMENSION,
    )
  }
  const rows = () => seeds.map((_, row) => [...data.slice(row * DIMENSION, (row + 1) * DIMENSION)])
  return { dims: [seeds.length, DIMENSION], type: 'float32', data, size: data.length, tolist: rows }
}

function describeText(input: unknown): string {
  return typeof input === 'string' ? input : ''
}

function describe(input: unknown): string {
  if (ArrayBuffer.isView(input)) return `${input.byteLength} bytes`
  return typeof input === 'object' ? JSON.stringify(input) : String(input)
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  return value >>> 0
}
