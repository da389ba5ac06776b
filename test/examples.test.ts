import { existsSync } from 'node:fs'
import { mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { settingsOf } from '../examples/demo-options.ts'
import { CHROMIUM } from './support/chromium.ts'
import { Consumer } from './support/consumer.ts'
import { Document } from './support/documents/document.ts'
import { reportShapes } from './support/documents/shape.ts'
import { type Hub, startHub } from './support/hub/index.ts'
import { makeEmbeddingModel, makeWhisperModel } from './support/model-maker/index.ts'
import { removeFolder } from './support/remove-folder.ts'

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url))
const EMBEDDINGS = 'Xenova/all-MiniLM-L6-v2'
/** The output of the demo in docs/reports.md, cold and warm. */
const SHOWN = new Document('docs/reports.md').blocks
  .filter(({ label }) => label === 'demo')
  .map(({ text }) => text)
  .join('\n\n')
const WHISPER = 'onnx-community/whisper-tiny.en'

let directory: string
let hub: Hub

// Generated models under the names that the examples use.
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'models of the examples '))
  const embeddings = await makeEmbeddingModel(join(directory, 'embeddings'), {
    size: 1_000_000,
    dtypes: ['fp32', 'q8'],
  })
  const whisper = await makeWhisperModel(join(directory, 'whisper'))
  hub = await startHub()
  hub.addRepo(EMBEDDINGS, { directory: embeddings.directory, pipelineTag: 'feature-extraction' })
  hub.addRepo(WHISPER, { directory: whisper.directory, pipelineTag: 'automatic-speech-recognition' })
})
afterAll(async () => {
  await hub.close()
  await removeFolder(directory)
})
beforeEach(() => hub.clearRequests())

// The demo runs the example `embeddings`, cold and warm.
describe('the example', () => {
  test.each([
    { name: 'transcription', models: [WHISPER], requests: 2, tests: 3 },
    { name: 'jest', models: [EMBEDDINGS, WHISPER], requests: 3, tests: 4 },
  ])('$name downloads its models once, and then passes without network', async ({ name, models, requests, tests }) => {
    const consumer = await copyOf(name)
    const run = async () => {
      const env = { HF_ENDPOINT: hub.url }
      if (name !== 'jest') return consumer.vitest(['--maxWorkers=3'], env)
      const { json, ...ran } = await consumer.jest(['--maxWorkers=2'], env)
      return { ...ran, stdout: `${json?.numPassedTests} passed` }
    }

    const cold = await run()
    expect(cold.exitCode, cold.output).toBe(0)
    expect(cold.stdout).toContain(`${tests} passed`)
    expect(cold.report).toMatchObject({ requests, misses: models.length })
    expect(cold.report?.models.map(({ repo }) => repo).sort()).toEqual(models)
    const weights = hub.requests
      .filter(({ kind, method }) => kind === 'cdn' && method === 'GET')
      .map(({ path }) => path)
    expect(new Set(weights).size).toBe(weights.length)

    hub.clearRequests()
    const warm = await run()
    expect(warm.exitCode, warm.output).toBe(0)
    expect(warm.stdout).toContain(`${tests} passed`)
    expect(warm.report).toMatchObject({ requests, hitRate: 1 })
    expect(hub.requests).toEqual([])
  })

  // test/vitest/browser.test.ts has the warm run.
  test.skipIf(!CHROMIUM)('browser downloads its model once', async () => {
    const consumer = await copyOf('browser')
    const { exitCode, output, report } = await consumer.vitest([], { HF_ENDPOINT: hub.url, CHROMIUM_PATH: CHROMIUM })
    expect(exitCode, output).toBe(0)
    expect(report).toMatchObject({ requests: 1, misses: 1, errors: [], models: [{ repo: EMBEDDINGS }] })
    const weights = hub.requests.filter(({ kind, method }) => kind === 'cdn' && method === 'GET')
    expect(weights).toHaveLength(1)
  })

  test('transcription runs in unit mode without model, cache and network', async () => {
    const consumer = await copyOf('transcription')
    const unit = await consumer.vitest([], { HF_ENDPOINT: hub.url, MODEL_CACHE_MODE: 'unit' })
    expect(unit.exitCode, unit.output).toBe(0)
    expect(unit.stdout).toContain('2 passed | 1 skipped')
    expect(hub.requests).toEqual([])
    expect(existsSync(consumer.cacheDir)).toBe(false)
  })
})

describe('the demo', () => {
  test('shows that the warm run makes no request, and leaves no files behind', async () => {
    const { run, temporary } = await demo(['--size', 'tiny', '--rounds', '1'])
    const { exitCode, all } = await run
    expect(exitCode, all).toBe(0)
    expect(all).toMatch(/^ {2}cold .* [1-9]\d* .* 3 of 4 +passed$/m)
    expect(all).toMatch(/^ {2}warm .* 0 +0 B +4 of 4 +passed$/m)
    expect(all).toMatch(/^A load took .+ mapped and .+ plain: \d\.\d\dx\.$/m)
    expect(reportShapes(all)).toEqual(reportShapes(SHOWN))
    expect(await leftIn(temporary)).toEqual([])
  })

  test('downloads from another Hub', async () => {
    const { run, temporary } = await demo(['--hub', hub.url, '--model', EMBEDDINGS, '--rounds', '0'])
    const { exitCode, all } = await run
    expect(exitCode, all).toBe(0)
    expect(all).toMatch(/^ {2}warm .* not counted .* 4 of 4 +passed$/m)
    expect(hub.bytesSent({ origin: 'cdn' })).toBeGreaterThan(0)
    expect(await leftIn(temporary)).toEqual([])
  })

  test('fails when a run fails', async () => {
    hub.addRepo('org/no-weights', { files: { 'config.json': '{}' } })
    const { run, temporary } = await demo(['--hub', hub.url, '--model', 'org/no-weights'])
    const { exitCode, all } = await run
    expect(exitCode).toBe(1)
    expect(all).toMatch(/^ {2}cold .* failed \(1\)$/m)
    expect(all).not.toMatch(/^ {2}warm /m)
    expect(await leftIn(temporary)).toEqual([])
  })

  test('reports a Hub that cannot be reached', async () => {
    const { run } = await demo(['--hub', 'http://127.0.0.1:9'])
    const { exitCode, all } = await run
    expect(exitCode).toBe(1)
    expect(all).toContain("http://127.0.0.1:9 can't be reached")
  })

  test.each([
    ['--modle', 'x/y'],
    ['--size', 'huge'],
    ['--hub', 'huggingface.co'],
  ])('refuses %s %s', (option, value) => {
    const message = expect.stringMatching(new RegExp(`${option}(.|\\n)*Usage: npm run demo`))
    expect(() => settingsOf([option, value])).toThrow(expect.objectContaining({ exitCode: 2, message }))
  })

  test('cleans up when it is interrupted', async () => {
    const { run, temporary } = await demo(['--size', 'tiny'])
    // The interrupt is sent when Vitest has started.
    run.stdout.on('data', (chunk) => String(chunk).includes('RUN') && run.kill('SIGINT'))
    const { exitCode, all } = await run
    expect(exitCode, all).toBe(130)
    expect(await leftIn(temporary)).toEqual([])
  })
})

function copyOf(example: string) {
  return Consumer.create({ template: join(REPOSITORY, 'examples', example), reportFile: 'model-cache-report.json' })
}

/** Starts the demo with its own folder for temporary files. */
async function demo(args: string[]) {
  const temporary = await mkdtemp(join(tmpdir(), 'demo '))
  onTestFinished(() => removeFolder(temporary))
  const run = execa(process.execPath, ['--import', 'tsx', 'examples/demo.ts', ...args], {
    cwd: REPOSITORY,
    env: { TMPDIR: temporary },
    all: true,
    reject: false,
  })
  return { run, temporary }
}

/** The files that a run left behind, without those of tsx. */
async function leftIn(temporary: string): Promise<string[]> {
  return (await readdir(temporary)).filter((name) => !name.startsWith('tsx-'))
}
