import * as transformers from '@huggingface/transformers'
import { describe, expect, test } from 'vitest'
import { mockLibraryPipeline, mockPretrained } from '../../src/mocks/library/library-mocks.ts'
import { ModelCacheError } from '../../src/model/errors.ts'

const library = { ...transformers }

/** The mock that `from_pretrained` of a class returns, called as a function. */
function pretrained(asked: object, options: object = {}) {
  const mock = mockPretrained(library, asked, ['org/name', options])
  if (typeof mock !== 'function') throw new Error('It can not be called')
  const call = async (...args: unknown[]) => Object(await Reflect.apply(mock, undefined, args))
  const method = async (name: string, ...args: unknown[]) =>
    Object(await Reflect.apply(Reflect.get(mock, name), mock, args))
  return { mock, call, method }
}

async function answer(task: string, ...input: unknown[]) {
  const pipeline = mockLibraryPipeline(library, [task, 'org/name'])
  if (typeof pipeline !== 'function') throw new Error('A pipeline is a function')
  return Object(await Reflect.apply(pipeline, undefined, input))
}

const TEXTS = ['A dog', 'Ein größerer Hund 🐕']

describe('the mock tokenizer', () => {
  test('returns padded tensors of the library, and decodes every text again', async () => {
    const { call, method } = pretrained(transformers.AutoTokenizer)
    const { input_ids, attention_mask } = await call(TEXTS, { padding: true })
    expect(input_ids).toBeInstanceOf(transformers.Tensor)
    expect(attention_mask.dims).toEqual(input_ids.dims)
    expect(await method('batch_decode', input_ids, { skip_special_tokens: true })).toEqual(TEXTS)
  })

  test('is an instance of the class that loaded it, and has a chat template', async () => {
    const { mock, method } = pretrained(transformers.BertTokenizer)
    expect(mock).toBeInstanceOf(transformers.BertTokenizer)
    const chat = [{ role: 'user', content: 'Hello' }]
    expect(String(await method('apply_chat_template', chat, { tokenize: false }))).toContain('Hello')
  })
})

describe('a mock model', () => {
  test('has hidden states whose mean over the tokens is the vector of the mock pipeline', async () => {
    const inputs = await pretrained(transformers.AutoTokenizer).call(TEXTS, { padding: true })
    const { last_hidden_state } = await pretrained(transformers.AutoModel).call(inputs)
    const pooled = transformers.mean_pooling(last_hidden_state, inputs.attention_mask).normalize(2, -1)
    const embedded = await answer('feature-extraction', TEXTS, { pooling: 'mean', normalize: true })
    expect(embedded).toBeInstanceOf(transformers.Tensor)
    const difference = [...embedded.data].map((value, index) => Math.abs(value - pooled.data[index]))
    expect(Math.max(...difference)).toBeLessThan(1e-6)
  })

  test('generates the text of the mock pipeline, and streams it', async () => {
    const tokenizer = pretrained(transformers.AutoTokenizer)
    const inputs = await tokenizer.call('Once')
    const streamed: string[] = []
    const options = { skip_prompt: true, callback_function: (text: string) => streamed.push(text) }
    const streamer = Reflect.construct(transformers.TextStreamer, [
      tokenizer.mock,
      { ...options, skip_special_tokens: true },
    ])
    const tokens = await pretrained(transformers.AutoModelForCausalLM).method('generate', { ...inputs, streamer })
    const [text] = await tokenizer.method('batch_decode', tokens, { skip_special_tokens: true })
    const [{ generated_text }] = await answer('text-generation', 'Once')
    expect(text).toBe(generated_text)
    expect(`Once${streamed.join('')}`).toBe(generated_text)
  })

  test('has one logit for each label of the config that was given', async () => {
    const config = { id2label: { 0: 'a', 1: 'b', 2: 'c' } }
    const inputs = await pretrained(transformers.AutoTokenizer).call(TEXTS, { padding: true })
    const { logits } = await pretrained(transformers.AutoModelForSequenceClassification, { config }).call(inputs)
    expect(logits.dims).toEqual([2, 3])
  })

  test('takes the tensors of a mock processor: images and sounds', async () => {
    const processor = pretrained(transformers.AutoProcessor)
    const image = new transformers.RawImage(new Uint8ClampedArray(48).fill(7), 4, 4, 3)
    const { pixel_values } = await processor.call(image)
    expect(pixel_values.dims).toEqual([1, 3, 224, 224])
    const { logits } = await pretrained(transformers.AutoModelForImageClassification).call({ pixel_values })
    expect(logits.dims).toEqual([1, 2])
    const { input_features } = await processor.call(new Float32Array(16_000))
    const whisper = pretrained(transformers.WhisperForConditionalGeneration)
    expect(whisper.mock).toBeInstanceOf(transformers.WhisperForConditionalGeneration)
    expect((await whisper.method('generate', { inputs: input_features })).dims[0]).toBe(1)
  })
})

test('from_pretrained of every class returns an instance, or throws an error that lists the classes with mocks', () => {
  const classes = Object.entries(library).filter(([, value]) => 'from_pretrained' in Object(value))
  expect(classes.length).toBeGreaterThan(500)
  const refused = classes.flatMap(([name, value]) => {
    try {
      const mock = mockPretrained(library, Object(value), ['org/name'])
      if (!name.startsWith('Auto')) expect(Reflect.apply(Function[Symbol.hasInstance], value, [mock]), name).toBe(true)
      return []
    } catch (error) {
      expect(error, name).toBeInstanceOf(ModelCacheError)
      expect(error, name).toMatchObject({ code: 'UNIT_MODE', message: expect.stringContaining('AutoModelForCausalLM') })
      return [name]
    }
  })
  expect(refused).toContain('AutoModelForObjectDetection')
  expect(refused).not.toContain('AutoModelForSpeechSeq2Seq')
  expect(refused.length).toBeLessThan(classes.length / 8)
})

test('a pipeline is of the class of its task, and reports that it is ready', async () => {
  const seen: unknown[] = []
  const options = { progress_callback: (progress: unknown) => seen.push(progress) }
  const pipeline = mockLibraryPipeline(library, ['sentiment-analysis', 'org/name', options])
  expect(pipeline).toBeInstanceOf(transformers.TextClassificationPipeline)
  expect(seen).toEqual([{ status: 'ready', task: 'text-classification', model: 'org/name' }])
  const all = await answer('sentiment-analysis', 'fine', { top_k: null })
  expect(all.map(({ label }: { label: string }) => label).sort()).toEqual(['NEGATIVE', 'POSITIVE'])
})
