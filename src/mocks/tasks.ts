import { describe, hash, seedOf } from './seed.ts'
import { DIMENSION, type MakeTensor, plainTensor, vectors } from './tensor.ts'

/** The answer of a pipeline to an input and its options. */
export type Call = (input: unknown, ...rest: unknown[]) => Promise<unknown>

interface Mock {
  model: string
  /** The same number for the same input. */
  seed: (input: unknown) => number
  /** A word made from the seed. */
  name: (input: unknown) => string
  /** From 0.5 to 1. */
  score: (input: unknown) => number
  tensor: MakeTensor
}

// The shapes are those of transformers.js 4.3.1, src/pipelines/*.js.
const TASKS: Record<string, (mock: Mock) => Call> = {
  'text-classification': (mock) => classifyTexts(mock, ['POSITIVE', 'NEGATIVE']),
  'token-classification': () => oneOrMany(() => []),
  'question-answering': ({ score }) => oneOrMany((question) => ({ answer: 'mock answer', score: score(question) })),
  'fill-mask': ({ score }) =>
    oneOrMany((input) => [
      { score: score(input), token: 0, token_str: 'mock', sequence: String(input).replace('[MASK]', 'mock') },
    ]),
  summarization: ({ name }) => forEach((text) => ({ summary_text: `mock summary ${name(text)}` })),
  translation: ({ name }) => forEach((text) => ({ translation_text: `mock translation ${name(text)}` })),
  'text2text-generation': ({ name }) => forEach((text) => ({ generated_text: `mock text ${name(text)}` })),
  'text-generation': ({ name }) =>
    oneOrMany((input) => [{ generated_text: continued(input, `mock ${name(input)}`) }], isChat),
  'zero-shot-classification': () => async (input, candidates) => {
    const labels = listOf(candidates)
    const answer = (sequence: unknown) => ({ sequence, labels, scores: labels.map(() => 1 / labels.length) })
    return isBatch(input) ? input.map(answer) : answer(input)
  },
  'audio-classification': (mock) => classifyMedia(mock, ['yes', 'no']),
  'automatic-speech-recognition': ({ model }) => oneOrMany((input) => ({ text: mockTranscript(model, input) })),
  'image-classification': (mock) => classifyMedia(mock, ['cat', 'dog']),
  'image-to-text': ({ name }) => oneOrMany((input) => [{ generated_text: `mock caption ${name(input)}` }]),
  'object-detection': () => oneOrMany(() => []),
  'zero-shot-audio-classification': () => rankCandidates,
  'zero-shot-image-classification': () => rankCandidates,
  'document-question-answering': () => async () => [{ answer: 'mock answer' }],
  'feature-extraction':
    ({ seed, tensor }) =>
    async (input, options) =>
      tensor(embed(listOf(input), seed, options)),
  'image-feature-extraction':
    ({ seed, tensor }) =>
    async (input) =>
      tensor(vectors(listOf(input).map(seed), [listOf(input).length, DIMENSION])),
}

/** The tasks that have a mock. */
export const MOCKED_TASKS: readonly string[] = Object.keys(TASKS)

/** The mock of a task, by its canonical name; undefined when the task has none. */
export function mockCall(task: string, model: string, tensor: MakeTensor = plainTensor): Call | undefined {
  const seed = (input: unknown) => seedOf(model, task, input)
  const make = Object.hasOwn(TASKS, task) ? TASKS[task] : undefined
  return make?.({
    ...{ model, seed, tensor },
    name: (input) => seed(input).toString(16),
    score: (input) => 0.5 + (seed(input) % 1000) / 2002,
  })
}

/** The mock transcript of some audio: the same for the same samples. */
export function mockTranscript(model: string, audio: unknown): string {
  return `mock transcript ${hash(`${model} ${describe(audio)}`).toString(16)}`
}

/** One label for each text. If `top_k` is given and not 1, a list of labels for each text. */
function classifyTexts(mock: Mock, labels: [string, string]): Call {
  return async (input, options) => {
    const count = optionOf(options, 'top_k')
    if (count === undefined || count === 1) return listOf(input).map((text) => classified(mock, labels, text)[0])
    const lists = listOf(input).map((text) => classified(mock, labels, text).slice(0, Number(count ?? labels.length)))
    return isBatch(input) ? lists : lists[0]
  }
}

/** A list of labels for an image or a sound. A list of such lists for several inputs. */
function classifyMedia(mock: Mock, labels: [string, string]): Call {
  return oneOrMany((input) => classified(mock, labels, input).slice(0, 1))
}

/** Both labels, the likelier one first. */
function classified({ seed, score }: Mock, labels: [string, string], input: unknown) {
  const [first, second] = seed(input) % 2 === 0 ? labels : [labels[1], labels[0]]
  return [
    { label: first, score: score(input) },
    { label: second, score: 1 - score(input) },
  ]
}

const rankCandidates: Call = async (input, candidates) => {
  const labels = listOf(candidates)
  const answer = () => labels.map((label) => ({ label, score: 1 / labels.length }))
  return isBatch(input) ? input.map(answer) : answer()
}

/** A list with one answer for each input, also for a single input. */
function forEach(answer: (input: unknown) => unknown): Call {
  return async (input) => listOf(input).map(answer)
}

/** One answer for one input. A list of answers for a list of inputs. */
function oneOrMany(answer: (input: unknown) => unknown, isOne: (input: unknown) => boolean = () => false): Call {
  return async (input) => (isBatch(input) && !isOne(input) ? input.map(answer) : answer(input))
}

function isBatch(input: unknown): input is unknown[] {
  return Array.isArray(input)
}

function listOf(input: unknown): unknown[] {
  return Array.isArray(input) ? input : [input]
}

function optionOf(options: unknown, name: string): unknown {
  return typeof options === 'object' && options !== null ? Reflect.get(options, name) : undefined
}

/** Messages of a chat are one input. */
function isChat(input: unknown): boolean {
  return listOf(input).every((item) => typeof item === 'object' && item !== null && 'role' in item)
}

/** A text is continued. A chat gets one more message. */
function continued(input: unknown, text: string): unknown {
  return isChat(input) ? [...listOf(input), { role: 'assistant', content: text }] : `${input} ${text}`
}

/** With pooling one vector for each text. Without pooling one vector for each token. */
function embed(texts: unknown[], seed: (input: unknown) => number, options: unknown) {
  const pooling = optionOf(options, 'pooling') ?? 'none'
  if (pooling !== 'none') return vectors(texts.map(seed), [texts.length, DIMENSION])
  // Each word is a token, and there are two special tokens. Shorter texts are padded.
  const tokens = Math.max(...texts.map((text) => String(text).trim().split(/\s+/).length + 2))
  const seeds = texts.flatMap((text) => Array.from({ length: tokens }, (_, token) => seed(`${text}\0${token}`)))
  return vectors(seeds, [texts.length, tokens, DIMENSION])
}
