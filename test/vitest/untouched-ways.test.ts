import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'
import type { RunResult } from '../support/project-folder.ts'
import { type ColdAndWarm, runColdAndWarm } from '../support/run-cold-and-warm.ts'
import { type SuiteSource, suitesInOneRun } from '../support/suites-in-one-run.ts'

const REPO = 'org/embeddings'
const OTHER = 'org/external-data'
const { hub, env, copyOf } = await startModelsHub([REPO, OTHER])

/** A test file that does not name this package. */
const untouched = (repo: string, more = '') => `
  import { expect, test } from 'vitest'
  import { env, pipeline } from '@huggingface/transformers'
  env.cacheDir = './own-cache'
  ${more}
  test('embeds with ${repo}', async () => {
    const embed = await pipeline('feature-extraction', '${repo}')
    expect((await embed('A dog', { pooling: 'mean', normalize: true })).dims).toEqual([1, 16])
  })
`
const TWO_FILES = { 'a.test.ts': untouched(REPO), 'b.test.ts': untouched(REPO) }

async function suite(files: Record<string, string>, test = '') {
  return Consumer.create({ files: { 'vitest.config.ts': configSource({}, test), ...files } })
}

/** The files that were downloaded since the log was cleared. A file that was downloaded twice is there twice. */
function downloads(): string[] {
  return hub.requests.flatMap(({ kind, method, repo, file }) =>
    kind === 'resolve' && method === 'GET' ? [`${repo}/${file}`] : [],
  )
}

describe('an untouched pipeline() comes from the cache', () => {
  describe('in projects of one run:', () => {
    const windows = ['forks', 'vmThreads'].flatMap((pool) =>
      ['jsdom', 'happy-dom'].map((window) => ({ pool, window, name: `org/${pool}-${window}` })),
    )
    const OF_CHILD = copyOf(REPO, 'org/child')
    const WITH_OPTIONS = copyOf(REPO, 'org/with-options')
    const program = `
      import { env, pipeline } from '@huggingface/transformers'
      env.cacheDir = './own-cache'
      const embed = await pipeline('feature-extraction', '${OF_CHILD}')
      console.log((await embed('A dog', { pooling: 'mean', normalize: true })).dims.join())
    `
    const starts = `
      import { execFileSync } from 'node:child_process'
      import { expect, test } from 'vitest'
      test('starts it', () => {
        expect(execFileSync(process.execPath, ['program.mjs'], { encoding: 'utf8', timeout: 200_000 })).toBe('1,16\\n')
      })
    `
    const collects = `test('has them', () => { expect(typeof globalThis.gc).toBe('function') })`
    let runs: ColdAndWarm

    beforeAll(async () => {
      const suites = windows.flatMap(({ pool, window, name }) => {
        const docblock = `/** @vitest${'-environment'} ${window} */\n`
        const where = `test('has a window', () => { expect(typeof document).toBe('object') })`
        const source = docblock + untouched(copyOf(REPO, name), where)
        // One worker of a vm pool runs all files. The window of one must not affect the others.
        const options = `pool: '${pool}', maxWorkers: 1`
        return ['a', 'b'].map((file): [string, SuiteSource] => [`${pool}-${window}-${file}`, { source, options }])
      })
      const files = suitesInOneRun({
        ...Object.fromEntries(suites),
        child: { source: starts, options: 'maxWorkers: 1' },
        'with-options': {
          source: untouched(WITH_OPTIONS, collects),
          options: `execArgv: ['--expose-gc'], maxWorkers: 1`,
        },
      })
      const project = await Consumer.createForTests({ files: { ...files, 'program.mjs': program } })
      runs = await runColdAndWarm(project, hub, env, { warmEnv: { ...env, MODEL_CACHE_DEBUG: '1' } })
      return () => project.remove()
    })

    /** Expects that the model was downloaded once, and that the warm run made no request. */
    function expectServed(name: string, requests: number): void {
      const { cold, warm, asked } = runs
      const of = ({ report }: RunResult) => report?.models.find(({ repo }) => repo === name)
      expect(cold.exitCode, cold.output).toBe(0)
      expect(of(cold)).toMatchObject({ requests, tiers: { hub: 1 } })
      expect(cold.report?.errors).toEqual([])
      expect(warm.exitCode, warm.output).toBe(0)
      expect(of(warm)).toMatchObject({ requests, tiers: { disk: requests } })
      expect(asked.warm).toEqual([])
    }

    test.each(windows)('where a docblock asks for $window in $pool, and replaces our environment', ({ name }) => {
      expectServed(name, 2)
    })

    test('in a process that a test starts, which downloads missing models itself', () => {
      expectServed(OF_CHILD, 1)
      const files = runs.asked.cold.filter(({ repo, kind, method }) => {
        return repo === OF_CHILD && kind === 'resolve' && method === 'GET'
      })
      expect(new Set(files.map(({ file }) => file)).size).toBe(files.length)
      expect(runs.warm.output).toContain(`Loaded mapped: ${OF_CHILD} onnx/model.onnx`)
    })

    test('with options of Node.js that the suite sets for its workers', () => {
      expectServed(WITH_OPTIONS, 1)
    })
  })

  test.each([
    ['of plugins of their own', ''],
    ['that extend the root', 'extends: true,'],
  ])('in two projects %s, with one warm-up and one report', async (_, extend) => {
    const plugin = `modelCache({ models: ['${REPO}'], report: { outputFile: 'report.json' } })`
    const plugins = `plugins: [${plugin}],`
    const projects = ['one', 'two'].map(
      (name) => `{ ${extend || plugins} test: { name: '${name}', include: ['${name}/*.test.ts'] } }`,
    )
    const project = await Consumer.create({
      files: {
        'vitest.config.ts': `
          import { defineConfig } from 'vitest/config'
          import { modelCache } from 'vitest-model-cache'
          export default defineConfig({ ${extend && plugins} test: { projects: [${projects.join()}] } })
        `,
        'one/a.test.ts': untouched(REPO),
        'two/a.test.ts': untouched(REPO),
      },
    })
    const cold = await project.vitest([], env)
    expect(cold.exitCode, cold.output).toBe(0)
    expect(cold.output.match(/Model cache/g)).toHaveLength(1)
    expect(cold.report).toMatchObject({ requests: 2, errors: [] })
    expect(downloads()).toEqual([...new Set(downloads())])
    hub.clearRequests()
    const warm = await project.vitest([], env)
    expect(warm.exitCode, warm.output).toBe(0)
    expect(warm.report).toMatchObject({ requests: 2, hits: 2 })
    expect(hub.requests).toEqual([])
  })

  test('in shards, and the merged report counts all requests', async () => {
    const project = await suite(TWO_FILES)
    for (const shard of ['1/2', '2/2']) {
      const run = await project.vitest([`--shard=${shard}`, '--reporter=blob'], env)
      expect(run.exitCode, run.output).toBe(0)
      expect(run.report).toMatchObject({ requests: 1 })
    }
    expect(downloads()).toEqual([...new Set(downloads())])
    hub.clearRequests()
    const merged = await project.vitest(['--merge-reports'], env)
    expect(merged.exitCode, merged.output).toBe(0)
    expect(merged.report).toMatchObject({ requests: 2, hits: 1, misses: 1, models: [{ repo: REPO }] })
    expect(hub.requests).toEqual([])
  })

  test('in watch mode: a re-run makes no request, and a new model is downloaded', async () => {
    const project = await suite(TWO_FILES)
    const { watcher, finished } = project.watch(env)
    onTestFinished(() => void watcher.kill())
    expect(await finished()).toMatchObject({ requests: 2, misses: 1 })
    hub.clearRequests()
    const again = finished()
    await project.write({ 'a.test.ts': `${untouched(REPO)}\n// changed` })
    expect(await again).toMatchObject({ requests: 1, hits: 1, misses: 0 })
    expect(hub.requests).toEqual([])
    const other = finished()
    await project.write({ 'a.test.ts': untouched(OTHER) })
    expect(await other).toMatchObject({ requests: 1, misses: 1, models: [{ repo: OTHER }] })
    expect(downloads()).toEqual([...new Set(downloads())])
    hub.clearRequests()
    const last = finished()
    await project.write({ 'a.test.ts': `${untouched(OTHER)}\n// changed` })
    expect(await last).toMatchObject({ requests: 1, hits: 1, models: [{ repo: OTHER }] })
    expect(hub.requests).toEqual([])
  })
})

test('listing the tests loads and downloads nothing', async () => {
  const files = { 'vitest.config.ts': configSource({ models: [REPO] }), ...TWO_FILES }
  const project = await Consumer.create({ files })
  const cli = join(project.directory, 'node_modules', 'vitest', 'vitest.mjs')
  const { exitCode, stdout } = await project.shell(`cd app && HF_ENDPOINT=${hub.url} node '${cli}' list`)
  expect(exitCode).toBe(0)
  expect(stdout).toContain(`b.test.ts > embeds with ${REPO}`)
  expect(hub.requests).toEqual([])
})

test('the models of benchmarks are warmed and counted like those of tests', async () => {
  const source = `
    import { pipeline } from '@huggingface/transformers'
    import { bench } from 'vitest'
    const embed = await pipeline('feature-extraction', '${REPO}')
    bench('embeds', () => void embed, { time: 1, warmupTime: 1, iterations: 1 })
  `
  const project = await suite({ 'a.bench.ts': source })
  const cli = join(project.directory, 'node_modules', 'vitest', 'vitest.mjs')
  for (const tier of ['hub', 'disk']) {
    const { exitCode, stdout, stderr } = await project.shell(
      `cd app && HF_ENDPOINT=${hub.url} MODEL_CACHE_DIR=../cache node '${cli}' bench --run`,
    )
    expect(exitCode, stderr).toBe(0)
    expect(stdout).toMatch(new RegExp(`1 request: .*\\n.*${REPO} +${tier} ×1`))
  }
})
