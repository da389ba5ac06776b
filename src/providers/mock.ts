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
  const parts = { task: name, model: { config: { _name_or_path: model } }, dispose: async () => [] }
  return Object.assign(call, parts) as unknown as AnyPipeline
}

/** The mock transcript of some audio: the same for the same samples. */
export function mockTranscript(model: string, audio: unknown): string {
  return `mock transcript ${hash(`${model} ${describe(audio)}`).toString(16)}`
}

// The shapes are those of transformers.js 4.3.1, src/pipelines/*.js.
function mockCall(task: string, model: string): Call | undefined {
  const seeded = (input: unknown) => hash(`${model}\0${task}\0${describe(input)}`)
  const name = (input: unknown) => seeded(input).toString(16)
  const score = (input: unknown) => 0.5 + (seeded(input) % 1000) / 2002
  const labels = LABELS[task]
  if (labels) {
    const answer = (input: unknown) => ({ label: labels[seeded(input) % 2], score: score(input) })
    // Text: one label for each text. Images and audio: a list of labels, for a list of them a list of lists.
    if (task === 'text-classification') return async (input) => listOf(input).map(answer)
    return async (input) => (isBatch(input) ? input.map((item) => [answer(item)]) : [answer(input)])
  }
  switch (task) {
    case 'feature-extraction':
      return async (input, options) => embed(listOf(input), seeded, options)
    case 'image-feature-extraction':
      return async (input) => vectors(listOf(input).map(seeded), [listOf(input).length, DIMENSION])
    case 'automatic-speech-recognition':
      return oneOrMany((input) => ({ text: mockTranscript(model, input) }))
    case 'text-generation':
      return oneOrMany((input) => [{ generated_text: continued(input, `mock ${name(input)}`) }], isChat)
    case 'text2text-generation':
      return async (input) => listOf(input).map((text) => ({ generated_text: `mock text ${name(text)}` }))
    case 'summarization':
      return async (input) => listOf(input).map((text) => ({ summary_text: `mock summary ${name(text)}` }))
    case 'translation':
      return async (input) => listOf(input).map((text) => ({ translation_text: `mock translation ${name(text)}` }))
    case 'image-to-text':
      return oneOrMany((input) => [{ generated_text: `mock caption ${name(input)}` }])
    case 'fill-mask':
      return oneOrMany((input) => [
        { score: score(input), token: 0, token_str: 'mock', sequence: String(input).replace('[MASK]', 'mock') },
      ])
    case 'question-answering':
      return oneOrMany((question) => ({ answer: 'mock answer', score: score(question) }))
    case 'token-classification':
    case 'object-detection':
      return oneOrMany(() => [])
    case 'zero-shot-classification':
      return async (input, candidates) => {
        const names = listOf(candidates)
        const answer = (sequence: unknown) => ({ sequence, labels: names, scores: names.map(() => 1 / names.length) })
        return isBatch(input) ? input.map(answer) : answer(input)
      }
    default:
      return undefined
  }
}

/** One answer for one input, a list of answers for a list. */
function oneOrMany(answer: (input: unknown) => unknown, isOne: (input: unknown) => boolean = () => false): Call {
  return async (input) => (isBatch(input) && !isOne(input) ? input.map(answer) : answer(input))
}

function isBatch(input: unknown): input is unknown[] {
  return Array.isArray(input)
}

function listOf(input: unknown): unknown[] {
  return Array.isArray(input) ? input : [input]
}

/** Messages of a chat are one input. */
function isChat(input: unknown): boolean {
  return listOf(input).every((item) => typeof item === 'object' && item !== null && 'role' in item)
}

/** A text goes on; a chat gets another message. */
function continued(input: unknown, text: string): unknown {
  return isChat(input) ? [...listOf(input), { role: 'assistant', content: text }] : `${input} ${text}`
}

/** One vector a text when a pooling is asked for, else one for each of its tokens. */
function embed(texts: unknown[], seeded: (input: unknown) => number, options: unknown) {
  const pooling = typeof options === 'object' && options !== null && 'pooling' in options ? options.pooling : 'none'
  if (pooling !== undefined && pooling !== 'none') return vectors(texts.map(seeded), [texts.length, DIMENSION])
  // A token a word, and two around them; shorter texts are padded as in a batch.
  const tokens = Math.max(...texts.map((text) => String(text).trim().split(/\s+/).length + 2))
  const seeds = texts.flatMap((text) => Array.from({ length: tokens }, (_, token) => seeded(`${text}\0${token}`)))
  return vectors(seeds, [texts.length, tokens, DIMENSION])
}

/** Unit vectors, one a seed, with the fields of a transformers.js Tensor that hold data. */
function vectors(seeds: number[], dims: number[]) {
  const data = Float32Array.from(seeds.flatMap(unitVector))
  return { dims, type: 'float32', location: 'cpu', data, size: data.length, tolist: () => nested([...data], dims) }
}

function unitVector(seed: number): number[] {
  let state = seed || 1
  const vector = Array.from({ length: DIMENSION }, () => {
    // xorshift32: enough for numbers that differ and stay the same.
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 31 - 1
  })
  const norm = Math.hypot(...vector)
  return vector.map((value) => value / norm)
}

function nested(data: number[], dims: number[]): unknown[] {
  const [count = 0, ...rest] = dims
  if (rest.length === 0) return data
  const length = data.length / count
  return Array.from({ length: count }, (_, index) => nested(data.slice(index * length, (index + 1) * length), rest))
}

function describe(input: unknown): string {
  if (ArrayBuffer.isView(input)) return Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString('latin1')
  return typeof input === 'object' ? JSON.stringify(input) : String(input)
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  return value >>> 0
}
