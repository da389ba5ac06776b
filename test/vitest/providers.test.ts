import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import type { LoggedRequest } from '../support/hub/index.ts'
import { SAMPLE_RATE, silence, tone, writeWav } from '../support/model-maker/index.ts'
import { DOG, startModelsHub } from '../support/models-hub.ts'
import type { ProjectFolder, RunResult } from '../support/project-folder.ts'
import { expectPassed, type SuiteSource, suitesInOneRun } from '../support/suites-in-one-run.ts'

const { hub, env, repo, copyOf } = await startModelsHub([
  'org/embeddings',
  'org/external-data',
  'org/whisper',
  'org/silero-vad',
])

async function run(
  source: string,
  options: Parameters<typeof configSource>[0] = {},
  files: Record<string, string> = {},
) {
  const consumer = await Consumer.create({
    files: { 'vitest.config.ts': configSource(options), 'a.test.ts': source, ...files },
  })
  const result = await consumer.vitest([], { ...env, MODEL_CACHE_DEBUG: '1' })
  return { ...result, consumer }
}

async function writeSounds({ directory }: ProjectFolder): Promise<void> {
  await writeWav(join(directory, 'tone.wav'), tone(1, 440), SAMPLE_RATE)
  await writeWav(join(directory, 'silence.wav'), silence(1), SAMPLE_RATE)
  await writeWav(join(directory, 'long.wav'), tone(45, 440), SAMPLE_RATE)
}

const SUITES = {
  dtypes: `
    import fs from 'node:fs'
    import { expect, test, vi } from 'vitest'
    test('dtypes', async ({ models }) => {
      const streams = vi.spyOn(fs, 'createReadStream')
      const q8 = await models.pipeline('feature-extraction', 'org/dtypes', { dtype: 'q8' })
      const fp32 = await models.pipeline('feature-extraction', 'org/dtypes', { dtype: 'fp32', revision: 'main' })
      expect(await models.pipeline('feature-extraction', 'org/dtypes', { dtype: 'q8' })).toBe(q8)
      const [a, b] = await Promise.all([q8, fp32].map((embed) => embed('A dog', { pooling: 'mean', normalize: true })))
      expect(b.data[0]).toBeCloseTo(${DOG}, 6)
      expect(a.data[0]).not.toBeCloseTo(${DOG}, 6)
      // A stream of transformers.js would read the whole file, and keep it in memory.
      expect(streams.mock.calls).toEqual([])
    })
  `,
  external: `
    import { expect, test } from 'vitest'
    test('external', async ({ models }) => {
      const embed = await models.pipeline('feature-extraction', 'org/external-data')
      expect((await embed('A dog', { pooling: 'mean', normalize: true })).data[0]).toBeCloseTo(${DOG}, 6)
    })
  `,
  'by-option': `
    import { test } from 'vitest'
    test('external', async ({ models }) => {
      const options = { use_external_data_format: true }
      await models.pipeline('feature-extraction', 'org/external-data@plain', options)
    })
  `,
  'no-local-models': `
    import { env } from '@huggingface/transformers'
    import { expect, test } from 'vitest'
    test('forbidden', async ({ models }) => {
      env.allowLocalModels = false
      await models.pipeline('feature-extraction', 'org/embeddings')
      expect(env.allowLocalModels).toBe(false)
    })
  `,
  transcribes: `
    import { readFile } from 'node:fs/promises'
    import { expect, test } from 'vitest'
    test('transcribes', async ({ models }) => {
      const transcriber = await models.transcriber('org/whisper')
      const seen = []
      const { text } = await transcriber.transcribe('tone.wav', { onProgress: (progress) => seen.push(progress) })
      expect(text).toBe('hello from the model cache')
      expect(seen.at(-1)).toEqual({ seconds: 1, totalSeconds: 1, text })
      expect(seen.length).toBeGreaterThan(2)
      expect((await transcriber.transcribe(await readFile('silence.wav'))).text).toBe('only silence')
      expect((await transcriber.transcribe(new Float32Array(16000))).text).toBe('only silence')
      const long = await transcriber.transcribe(new URL('long.wav', 'file://' + process.cwd().replaceAll(' ', '%20') + '/'))
      expect(long.text).toBe('hello from the model cache')
      await expect(transcriber.transcribe('vitest.config.ts')).rejects.toThrow('could not be read as WAV')
    })
  `,
  sessions: `
    import { Tensor } from 'onnxruntime-node'
    import { expect, test } from 'vitest'
    test('detects speech', async ({ models }) => {
      await models.session('org/sessions', 'onnx/model.onnx')
      const session = await models.session('org/silero-vad', 'onnx/model.onnx', { graphOptimizationLevel: 'basic' })
      const { output } = await session.run({
        input: new Tensor('float32', new Float32Array(512), [1, 512]),
        state: new Tensor('float32', new Float32Array(256), [2, 1, 128]),
        sr: new Tensor('int64', [16000n], []),
      })
      expect(output.data[0]).toBeGreaterThanOrEqual(0)
      expect(output.data[0]).toBeLessThan(0.5)
    })
  `,
  paths: `
    import { readFile } from 'node:fs/promises'
    import { isAbsolute, join } from 'node:path'
    import { expect, test } from 'vitest'
    test('paths', async ({ models }) => {
      const path = await models.path({ repo: 'org/paths', files: ['*.json'] })
      expect(isAbsolute(path)).toBe(true)
      expect(await models.file('org/paths', 'config.json')).toBe(join(path, 'config.json'))
      expect(JSON.parse(await readFile(join(path, 'config.json'), 'utf8')).model_type).toBe('whisper')
      await expect(models.file('org/paths', 'nope.bin')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
      await expect(models.file('org/paths', '../../../etc/passwd')).rejects.toMatchObject({ name: 'ModelCacheError' })
    })
  `,
  again: `
    import { expect, test } from 'vitest'
    import { models } from 'vitest-model-cache/models'
    test.each([1, 2])('transcribes and frees, time %i', async () => {
      const transcriber = await models.transcriber('org/whisper')
      expect((await transcriber.transcribe('silence.wav')).text).toBe('only silence')
      await transcriber.dispose()
    })
  `,
}

describe('all suites at once', () => {
  let result: RunResult
  let asked: LoggedRequest[]
  let cached: string[]

  beforeAll(async () => {
    for (const copy of ['org/dtypes', 'org/sessions']) copyOf('org/embeddings', copy)
    copyOf('org/whisper', 'org/paths')
    const external = repo('org/external-data')
    external.branch('plain')
    external.addCommit({ files: { 'config.json': JSON.stringify({ model_type: 'bert' }) }, branch: 'plain' })
    const suites = Object.entries(SUITES).map(([name, source]): [string, SuiteSource] => [name, { source }])
    const project = await Consumer.createForTests({ files: suitesInOneRun(Object.fromEntries(suites)) })
    await writeSounds(project)
    result = await project.vitest([], { ...env, MODEL_CACHE_DEBUG: '1' })
    asked = [...hub.requests]
    cached = await readdir(join(project.cacheDir, 'hub'))
    return () => project.remove()
  })

  const of = (name: string) => result.report?.models.find((model) => model.repo === name)

  test('models.pipeline takes a dtype and a revision, and returns the same instance for the same arguments', () => {
    expectPassed(result, 'dtypes')
    expect(result.output).toContain('Loaded mapped: org/dtypes onnx/model.onnx')
    expect(of('org/dtypes')).toMatchObject({ requests: 3, tiers: { hub: 1, disk: 1, memory: 1 } })
  })

  test('models.pipeline loads external data, which ONNX Runtime accepts only when all files are linked alike', () => {
    expectPassed(result, 'external')
    expect(asked.map(({ file }) => file)).toContain('onnx/model.onnx_data')
  })

  test('models.pipeline loads external data by the option when the config does not name it', () =>
    expectPassed(result, 'by-option'))

  test('models.pipeline works in a suite that forbids local models, and leaves that setting as it was', () =>
    expectPassed(result, 'no-local-models'))

  test('models.transcriber transcribes a WAV file, bytes and samples, reports progress, and tells silence from sound', () => {
    expectPassed(result, 'transcribes')
    for (const file of ['encoder_model', 'decoder_model_merged'])
      expect(result.output).toContain(`Loaded mapped: org/whisper onnx/${file}.onnx`)
  })

  test('models.session runs real weights in onnxruntime-node', () => {
    expectPassed(result, 'sessions')
    for (const name of ['org/sessions', 'org/silero-vad'])
      expect(of(name)).toMatchObject({ requests: 1, tiers: { hub: 1 } })
    expect(result.output).toContain('Loaded mapped: org/sessions onnx/model.onnx')
  })

  test('models.path and models.file return absolute paths in the cache, and name a missing file', () => {
    expectPassed(result, 'paths')
    const names = ['dtypes', 'embeddings', 'external-data', 'paths', 'sessions', 'silero-vad', 'whisper']
    expect(cached.sort()).toEqual(names.map((name) => `models--org--${name}`))
  })

  test('models.transcriber loads again after a user disposed the instance by its own method', () =>
    expectPassed(result, 'again'))

  test('the run has no other result', () => expect(result.exitCode, result.output).toBe(0))
})

describe('models.provider', () => {
  test('loads, downloads, lists and removes, and disposes an instance after its last user', async () => {
    const { exitCode, output } = await run(`
      import { expect, test } from 'vitest'
      const REPO = 'org/embeddings'
      const OPTIONS = { task: 'feature-extraction' }
      test('life', async ({ models }) => {
        const one = models.provider('transformers')
        const two = models.provider('transformers')
        expect(await one.isDownloaded(REPO, OPTIONS)).toBe(false)
        const seen = []
        await one.download(REPO, { ...OPTIONS, onProgress: (progress) => seen.push(progress) })
        expect(seen.at(-1).receivedBytes).toBe(seen.at(-1).totalBytes)
        expect(await one.isDownloaded(REPO, OPTIONS)).toBe(true)
        expect(one.isLoaded(REPO, OPTIONS)).toBe(false)
        expect(await one.list()).toEqual([REPO])
        const pipeline = await one.load(REPO, OPTIONS)
        expect(await two.load(REPO, OPTIONS)).toBe(pipeline)
        await one.dispose()
        expect(two.isLoaded(REPO, OPTIONS)).toBe(true)
        await pipeline('still alive')
        await two.dispose()
        expect(two.isLoaded(REPO, OPTIONS)).toBe(false)
        await one.remove(REPO)
        expect(await one.list()).toEqual([])
        expect(await one.isDownloaded(REPO, OPTIONS)).toBe(false)
      })
      test('unknown', async ({ models }) => {
        expect(() => models.provider('nope')).toThrow('transformers, transcription, onnxruntime, files')
      })
    `)
    expect(exitCode, output).toBe(0)
  })

  test("serves a user's own provider, written in TypeScript, and disposes its instances after the last hook", async () => {
    const provider = `
      import { appendFileSync, readFileSync } from 'node:fs'
      import { defineProvider } from 'vitest-model-cache'
      interface Sizes { weights: number; loud: boolean }
      export default defineProvider<Sizes, { loud?: boolean }>({
        name: 'sizes',
        selection: () => ({ files: ['onnx/model.onnx'] }),
        load: ({ model, options }) => ({ weights: readFileSync(model.file('onnx/model.onnx')).length, loud: options.loud === true }),
        mock: () => ({ weights: 1, loud: false }),
        dispose: () => appendFileSync('order.txt', 'disposed '),
      })
    `
    const source = `
      import { appendFileSync } from 'node:fs'
      import { afterAll, expect, test } from 'vitest'
      afterAll(() => appendFileSync('order.txt', 'afterAll '))
      test('own', async ({ models }) => {
        const sizes = await models.provider('sizes').load('org/embeddings', { loud: true })
        expect(sizes).toEqual(process.env.MODEL_CACHE_MODE === 'unit' ? { weights: 1, loud: false } : { weights: 1199945, loud: true })
      })
    `
    const { exitCode, output, consumer } = await run(source, { providers: ['./sizes.ts'] }, { 'sizes.ts': provider })
    expect(exitCode, output).toBe(0)
    const order = () => readFile(join(consumer.directory, 'order.txt'), 'utf8')
    expect(await order()).toBe('afterAll disposed ')
    const unit = { ...env, MODEL_CACHE_MODE: 'unit', POOL: 'threads' }
    expect(await consumer.vitest([], unit)).toMatchObject({ exitCode: 0 })
    expect(await order()).toBe('afterAll disposed afterAll disposed ')
    await consumer.write({ 'vitest.config.ts': configSource({ providers: ['./sizes.ts', './test/nope.ts'] }) })
    const refused = await consumer.vitest([], env)
    expect(refused.exitCode).toBe(1)
    expect(refused.output).toMatch(
      /Option `providers` of modelCache\(\): "\.\/test\/nope\.ts": There is no module .*app\/test\/nope\.ts\./,
    )
    expect(refused.output).not.toContain('vitest-model-cache/dist')
  })

  test('refuses to remove a model that another live run uses', async () => {
    const consumer = await Consumer.create({
      files: {
        'vitest.config.ts': configSource({ models: ['org/embeddings'] }),
        'a.test.ts': `
          import { execFileSync } from 'node:child_process'
          import { expect, test } from 'vitest'
          test('another process', () => {
            const bin = 'node_modules/vitest-model-cache/dist/cli/main.js'
            expect(() => execFileSync(process.execPath, [bin, 'rm', 'org/embeddings', '--yes'], { stdio: 'pipe' })).toThrow('IN_USE')
          })
        `,
      },
    })
    const { exitCode, output } = await consumer.vitest([], env)
    expect(exitCode, output).toBe(0)
    expect(await consumer.cli(['rm', 'org/embeddings', '--yes'], env)).toMatchObject({ exitCode: 0 })
  })
})
