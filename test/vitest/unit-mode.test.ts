import { access, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const { hub, env } = await startModelsHub(['org/embeddings', 'org/whisper'])
const UNIT = { ...env, MODEL_CACHE_MODE: 'unit' }
const absent = { code: 'ENOENT' }

// None of these tests names this package, and each passes with the real model and with the mock.
const UNTOUCHED = {
  'pipeline.test.ts': `
    import { expect, test } from 'vitest'
    import { env, FeatureExtractionPipeline, pipeline, Tensor } from '@huggingface/transformers'
    env.cacheDir = './own-cache'
    test('embeds', async () => {
      const embed = await pipeline('feature-extraction', 'org/embeddings')
      const [dog, again, cat] = await Promise.all(
        ['A dog', 'A dog', 'A cat'].map((text) => embed(text, { pooling: 'mean', normalize: true })),
      )
      expect([embed instanceof FeatureExtractionPipeline, dog instanceof Tensor]).toEqual([true, true])
      expect(Math.hypot(...dog.data)).toBeCloseTo(1, 4)
      expect(dog.dims).toEqual([1, dog.data.length])
      expect(dog.tolist()).toEqual(again.tolist())
      expect(dog.tolist()).not.toEqual(cat.tolist())
      await embed.dispose()
    })
  `,
  'direct.test.ts': `
    import { createRequire } from 'node:module'
    import { expect, test } from 'vitest'
    // The CommonJS build.
    const { AutoModel, AutoTokenizer, env, mean_pooling, PreTrainedModel } = createRequire(import.meta.url)('@huggingface/transformers')
    env.cacheDir = './own-cache'
    test('embeds by its own steps', async () => {
      const tokenizer = await AutoTokenizer.from_pretrained('org/embeddings')
      const model = await AutoModel.from_pretrained('org/embeddings')
      const inputs = await tokenizer(['A dog', 'A dog and a cat'], { padding: true, truncation: true })
      const { last_hidden_state } = await model(inputs)
      const vectors = mean_pooling(last_hidden_state, inputs.attention_mask).normalize(2, -1)
      expect(model).toBeInstanceOf(PreTrainedModel)
      expect(last_hidden_state.dims).toEqual([...inputs.input_ids.dims, vectors.dims[1]])
      expect(vectors.dims[0]).toBe(2)
      expect(Math.hypot(...vectors.tolist()[1])).toBeCloseTo(1, 4)
    })
  `,
  'speech.test.ts': `
    import { expect, test, vi } from 'vitest'
    import { env, pipeline } from '@huggingface/transformers'
    vi.mock(import('@huggingface/transformers'), async (original) => ({ ...(await original()) }))
    env.cacheDir = './own-cache'
    test('transcribes', async () => {
      const transcribe = await pipeline('automatic-speech-recognition', 'org/whisper')
      expect(await transcribe(new Float32Array(16_000))).toEqual({ text: expect.any(String) })
    })
  `,
}

/** All files of a folder with their times. */
async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true })
  return Promise.all(names.sort().map(async (name) => `${name} ${(await stat(join(folder, name))).mtimeMs}`))
}

test('one variable gives an untouched suite mocks, and takes them away again', async () => {
  const consumer = await Consumer.create({
    files: { 'vitest.config.ts': configSource({ models: ['org/embeddings'] }), ...UNTOUCHED },
  })
  const expectMocks = async (args: string[]) => {
    const { exitCode, output, report } = await consumer.vitest(args, UNIT)
    expect(exitCode, output).toBe(0)
    expect(output).toContain('unit mode: 4 mocks in place of models; the cache was not used')
    expect(report).toMatchObject({ mode: 'unit', mocks: 4, requests: 0, models: [], errors: [], cache: null })
    expect(hub.requests).toEqual([])
    await expect(access(join(consumer.directory, 'own-cache'))).rejects.toMatchObject(absent)
  }
  await expectMocks([])
  await expect(access(consumer.cacheDir)).rejects.toMatchObject(absent)
  const real = await consumer.vitest([], env)
  expect(real.exitCode, real.output).toBe(0)
  expect(real.report).toMatchObject({ mode: 'integration', mocks: 0, misses: 2, failed: 0 })
  expect(real.output).not.toContain('unit mode')
  hub.clearRequests()
  const files = await filesIn(consumer.cacheDir)
  await expectMocks(['--pool', 'vmThreads'])
  expect(await filesIn(consumer.cacheDir)).toEqual(files)
})

const REFUSED = `{ code: 'UNIT_MODE', message: expect.stringContaining('MODEL_CACHE_MODE=integration') }`

test('unit mode refuses every request to the Hub, and a class or a task without a mock is an error', async () => {
  const consumer = await Consumer.create({
    files: {
      'vitest.config.ts': configSource({ models: ['org/embeddings'], mode: 'unit' }),
      'child.mjs': `
        import { get } from 'node:http'
        import { pipeline } from '@huggingface/transformers'
        const embed = await pipeline('feature-extraction', 'org/embeddings')
        const { dims } = await embed('A dog', { pooling: 'mean' })
        const { code } = await fetch(process.env.HF_ENDPOINT + '/org/embeddings/resolve/main/config.json').catch((error) => error)
        console.log(JSON.stringify({ dims, code, offline: process.env.HF_HUB_OFFLINE }))
      `,
      'refused.test.ts': `
        import { execFileSync } from 'node:child_process'
        import { get } from 'node:http'
        import { downloadFile, listModels } from '@huggingface/hub'
        import { AutoModelForObjectDetection, env, ModelRegistry, pipeline } from '@huggingface/transformers'
        import { expect, test } from 'vitest'
        const url = process.env.HF_ENDPOINT
        const refused = ${REFUSED}
        test('plain http', async () => {
          await expect(fetch('http://huggingface.co/org/any')).rejects.toMatchObject(refused)
        })
        test.each(['/org/embeddings/resolve/main/config.json', '/api/whoami-v2', '/datasets/org/x/resolve/main/a.txt'])('%s', async (path) => {
          await expect(fetch(url + path)).rejects.toMatchObject(refused)
          await expect(fetch(new Request(url + path, { method: 'POST', body: 'x' }))).rejects.toMatchObject(refused)
          await expect(new Promise((resolve, reject) => get(url + path, resolve).on('error', reject))).rejects.toMatchObject(refused)
        })
        test('@huggingface/hub', async () => {
          await expect(downloadFile({ repo: 'org/embeddings', path: 'config.json', hubUrl: url })).rejects.toMatchObject(refused)
          await expect(listModels({ hubUrl: url }).next()).rejects.toMatchObject(refused)
        })
        test('transformers.js, also by another host, another fetch and another cache', async () => {
          env.remoteHost = url
          env.fetch = () => { throw new Error('not to be called') }
          env.useCustomCache = true
          env.customCache = { match: async () => undefined, put: async () => undefined }
          await expect(ModelRegistry.get_files('org/embeddings')).rejects.toMatchObject(refused)
          await expect(AutoModelForObjectDetection.from_pretrained('org/any')).rejects.toMatchObject({
            ...refused, message: expect.stringContaining('AutoModelForCausalLM'),
          })
          await expect(pipeline('depth-estimation', 'org/any')).rejects.toMatchObject({
            ...refused, message: expect.stringContaining('fill-mask'),
          })
          await expect(pipeline('no-such-task', 'org/any')).rejects.toThrow('no-such-task')
        })
        test('a child process', () => {
          const printed = execFileSync(process.execPath, ['child.mjs'], { encoding: 'utf8' })
          expect(JSON.parse(printed)).toEqual({ dims: [1, 384], code: 'UNIT_MODE', offline: '1' })
        })
      `,
      'models.test.ts': `
        import { expect, test } from 'vitest'
        test('pipelines', async ({ models }) => {
          const embed = await models.pipeline('feature-extraction', 'org/embeddings')
          const [one, again, other] = [...(await Promise.all(['a', 'a', 'b'].map((text) => embed(text, { pooling: 'mean' }))))]
          expect(one.dims).toEqual([1, 384])
          expect((await embed('a dog')).dims).toEqual([1, 4, 384])
          expect(one.data).toBeInstanceOf(Float32Array)
          expect(one.tolist()).toEqual(again.tolist())
          expect(one.tolist()).not.toEqual(other.tolist())
          const classify = await models.pipeline('sentiment-analysis', 'org/any')
          expect(await classify('fine')).toEqual([{ label: expect.any(String), score: expect.any(Number) }])
        })
        test('transcriber', async ({ models }) => {
          const { transcribe } = await models.transcriber('org/any')
          expect(await transcribe('no-such-file.wav')).toEqual({ text: expect.stringContaining('mock transcript') })
        })
        test('a method without a mock is an error', async ({ models }) => {
          const refusal = ${REFUSED}
          await expect(models.path('org/any')).rejects.toMatchObject(refusal)
          await expect(models.file('org/any', 'x')).rejects.toMatchObject(refusal)
          await expect(models.session('org/any', 'x')).rejects.toMatchObject(refusal)
          await expect(models.provider('files').load('org/any')).rejects.toMatchObject(refusal)
        })
      `,
    },
  })
  const { exitCode, output, report } = await consumer.vitest([], env)
  expect(exitCode, output).toBe(0)
  expect(output).toContain('unit mode: 4 mocks')
  expect(report).toMatchObject({ mode: 'unit', mocks: 4, failed: 0, errors: [] })
  expect(hub.requests).toEqual([])
  await expect(access(consumer.cacheDir)).rejects.toMatchObject(absent)
})
