// These tests need Node.js 22.10 or newer: `npm run matrix -- --tests test/vitest/compile-cache.test.ts`.
import { execFileSync } from 'node:child_process'
import { chmod, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'
import type { ProjectFolder } from '../support/project-folder.ts'

const REPO = 'org/embeddings'
const { hub, env } = await startModelsHub([REPO])

const NODE = process.env.CONSUMER_NODE ?? process.execPath
const ASK = 'typeof require("node:module").flushCompileCache'
const hasCompileCache = execFileSync(NODE, ['-p', ASK], { encoding: 'utf8' }).trim() === 'function'

// The test notes which folder its worker uses, and the processes and threads that it starts.
const TEST = `
  import { execFileSync, fork } from 'node:child_process'
  import { once } from 'node:events'
  import { appendFileSync } from 'node:fs'
  import Module, { createRequire } from 'node:module'
  import { Worker } from 'node:worker_threads'
  import { env, pipeline } from '@huggingface/transformers'
  import { expect, test } from 'vitest'
  const cjs = createRequire(import.meta.url)('@huggingface/transformers')
  env.cacheDir = cjs.env.cacheDir = './own-cache'
  const ASK = "(require('node:module').getCompileCacheDir?.() ?? 'none')"
  const THREAD = "require('node:worker_threads').parentPort.postMessage(" + ASK + ")"
  test('embeds, as ESM and as CommonJS', async () => {
    for (const load of [pipeline, cjs.pipeline]) {
      const embed = await load('feature-extraction', '${REPO}')
      expect((await embed('A dog', { pooling: 'mean', normalize: true })).data[0]).toBeCloseTo(-0.2976082)
    }
    const others = [
      execFileSync(process.execPath, ['-p', ASK], { encoding: 'utf8' }).trim(),
      ...(await once(fork('./ask.cjs'), 'message')).slice(0, 1),
      ...(await once(fork('./ask.cjs', { env: {} }), 'message')).slice(0, 1),
      ...(await once(new Worker(THREAD, { eval: true }), 'message')),
    ]
    expect(process.execArgv.join()).not.toContain('compile-cache')
    const worker = Module.getCompileCacheDir?.() ?? 'none'
    appendFileSync('told.jsonl', JSON.stringify({ worker, others }) + '\\n')
  })
`

interface Told {
  worker: string
  others: string[]
}

function suite(test = '', files = 2): Promise<ProjectFolder> {
  const tests = Object.fromEntries(['a', 'b'].slice(0, files).map((name) => [`${name}.test.js`, TEST]))
  const ask = "process.send(require('node:module').getCompileCacheDir?.() ?? 'none')"
  const config = configSource({ models: [{ repo: REPO, task: 'feature-extraction' }] }, `maxWorkers: 1, ${test}`)
  return Consumer.create({ files: { ...tests, 'ask.cjs': ask, 'coverage.mjs': COVERAGE, 'vitest.config.mts': config } })
}

const COVERAGE = `
  const nothing = () => undefined
  export default {
    ...{ startCoverage: nothing, takeCoverage: nothing, stopCoverage: nothing },
    getProvider: () => ({
      name: 'custom',
      initialize(vitest) { this.options = vitest.config.coverage },
      resolveOptions() { return this.options },
      ...{ clean: nothing, onAfterSuiteRun: nothing, reportCoverage: nothing, generateCoverage: nothing },
    }),
  }
`

/** Runs the suite. Returns what its test files noted, and the files of the compile cache. */
async function run(project: ProjectFolder, more: Record<string, string> = {}) {
  await project.write({ 'told.jsonl': '' })
  const { exitCode, output } = await project.vitest([], { ...env, ...more })
  expect(exitCode, output).toBe(0)
  const lines = (await readFile(join(project.directory, 'told.jsonl'), 'utf8')).trim().split('\n')
  const told: Told[] = lines.map((line) => JSON.parse(line))
  return { told, output, files: await compiled(project) }
}

/** The paths of the files in the compile cache. */
async function compiled({ cacheDir }: ProjectFolder): Promise<string[]> {
  const folder = join(cacheDir, 'compile')
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name)] : [])).sort()
}

describe.skipIf(!hasCompileCache)("with Node.js's compile cache", () => {
  test.each(['forks', 'threads'])('%s keep compiled code, and what a test starts does not', async (pool) => {
    const project = await suite(`pool: '${pool}'`)
    const cold = await run(project)
    expect(cold.files.length).toBeGreaterThan(100)
    expect(cold.files.filter((path) => !/\/compile\/v[^/]+\/[0-9a-f]{8}(\.cache)?$/.test(path))).toEqual([])
    for (const { worker, others } of cold.told) {
      expect(worker).toContain(join(project.cacheDir, 'compile'))
      expect(others).toEqual(Array(4).fill('none'))
    }
    hub.clearRequests()
    const warm = await run(project, { NODE_DEBUG_NATIVE: 'COMPILE_CACHE' })
    expect(warm.files).toEqual(cold.files)
    // The preload extends the source of transformers.js, and the code of the extended source is kept.
    for (const name of ['transformers.node.mjs', 'transformers.node.cjs'])
      expect(warm.output).toMatch(new RegExp(`cache for .*${name} was accepted`))
    expect(warm.output).not.toContain('was rejected')
    expect(hub.requests).toEqual([])
    const listed = await project.cli(['status', '--json'])
    expect(JSON.parse(listed.stdout), listed.output).toMatchObject({ code: { files: cold.files.length } })
    const { stdout } = await project.cli(['clean', '--yes'])
    expect(stdout).toMatch(/1 model and compiled code \(\d/)
    expect(await compiled(project)).toEqual([])
  })

  test('damaged, truncated and foreign files of the compile cache are compiled again', async () => {
    const project = await suite('', 1)
    const { files } = await run(project)
    const sizes = await Promise.all(files.map(async (path) => (await stat(path)).size))
    await Promise.all(
      files.map(async (path, index) => {
        const content = await readFile(path)
        if (index % 3 === 0) return truncate(path, Math.floor(content.length / 2))
        const changed = content.map((byte, at) => (at === content.length - 5 ? byte ^ 0xff : byte))
        return writeFile(path, index % 3 === 1 ? changed : 'other content')
      }),
    )
    // Two runs at once replace them.
    await Promise.all([project.vitest([], env), run(project)])
    expect(await compiled(project)).toEqual(files)
    const now = await Promise.all(files.map(async (path) => (await stat(path)).size))
    expect(now.filter((size, index) => Math.abs(size - (sizes[index] ?? 0)) > 100)).toEqual([])
  })

  test('is not used in CI, with coverage, in vm pools, in a folder that others can enter, and against the wish of the user', async () => {
    const off = { told: [{ worker: 'none' }], files: [] }
    const project = await suite('', 1)
    expect(await run(project, { CI: 'true' })).toMatchObject(off)
    expect(await run(project, { NODE_DISABLE_COMPILE_CACHE: '1' })).toMatchObject(off)
    const own = join(project.directory, 'own')
    const { told, files } = await run(project, { NODE_COMPILE_CACHE: own })
    expect(files).toEqual([])
    expect(told[0]?.worker).toContain(own)
    await project.shell('mkdir -m 755 cache/compile')
    expect(await run(project)).toMatchObject(off)
    await project.shell('rmdir cache/compile')
    await chmod(project.cacheDir, 0o777)
    expect(await run(project)).toMatchObject(off)
    await chmod(project.cacheDir, 0o700)
    for (const test of [
      "pool: 'vmForks'",
      "coverage: { enabled: true, provider: 'custom', customProviderModule: './coverage.mjs' }",
    ]) {
      await project.write({ 'vitest.config.mts': configSource({}, `maxWorkers: 1, ${test}`) })
      expect(await run(project), test).toMatchObject(off)
    }
  })
})
