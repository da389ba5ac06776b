import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ModelCacheOptions } from '../../src/config/options.ts'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { sha256 } from '../support/engine.ts'
import { startModelsHub } from '../support/models-hub.ts'

const TOKEN = 'hf_of_the_user'
const { hub, env } = await startModelsHub([], { token: TOKEN })
const FILES = { 'config.json': '{}', 'onnx/weights.bin': randomBytes(300_000) }
const { commit } = hub.addRepo('org/weights', { files: FILES })
const secret = hub.addRepo('org/private', { files: FILES, private: true })

const HEAD = `import { afterEach, beforeEach, expect, test, vi } from 'vitest'`
// The path in the message shows that the model was served, without any function that the suite may have replaced.
const ASK = `expect(await models.path('org/weights')).toMatch(/snapshots.${commit}$/)`
const ASK_PRIVATE = `expect(await models.path('org/private')).toMatch(/snapshots.${secret.commit}$/)`

interface Suite {
  /** The source of the test file. It asks for the model once. */
  source: string
  /** Further files of the project. */
  files?: Record<string, string>
  /** Further options of Vitest, as source. */
  test?: string
  options?: ModelCacheOptions
  /** The cache folder. Default: one in the project. */
  cacheDir?: string
  env?: Record<string, string>
}

/**
 * Runs a suite twice. No model is declared, so in the first run the worker downloads it, and has to wait and try again after an
 * error. In the second run the model is cached.
 */
async function runTwice({ source, files, test, options = {}, cacheDir, env: more }: Suite) {
  const consumer = await Consumer.create({
    files: { 'vitest.config.ts': configSource(options, test), 'a.test.ts': `${HEAD}\n${source}`, ...files },
  })
  const own = { ...env, ...(cacheDir !== undefined && { MODEL_CACHE_DIR: '' }), ...more }
  const folder = cacheDir === undefined ? consumer.cacheDir : join(consumer.directory, cacheDir)
  onTestFinished(hub.fault({ kind: 'resolve', file: 'config.json' }, { status: 503 }, { times: 1 }))
  const cold = await consumer.vitest([], own)
  expect(cold, cold.output).toMatchObject({ exitCode: 0, report: { requests: 1, misses: 1, hits: 0, errors: [] } })
  expect(hub.requests.filter(({ status }) => status === 503)).toHaveLength(1)
  await expectRight(folder)

  hub.clearRequests()
  const warm = await consumer.vitest([], own)
  expect(warm, warm.output).toMatchObject({ exitCode: 0, report: { requests: 1, misses: 0, hits: 1, errors: [] } })
  expect(hub.requests).toEqual([])
  await expectRight(folder)
  return { consumer, cold, warm, folder }
}

async function expectRight(folder: string): Promise<void> {
  const hubFolder = join(folder, 'hub')
  const paths = await readdir(hubFolder, { recursive: true })
  for (const [path, content] of Object.entries(FILES)) {
    const found = paths.filter((found) => found.includes('snapshots') && found.endsWith(path))
    expect(found).toHaveLength(1)
    expect(sha256(await readFile(join(hubFolder, String(found[0]))))).toBe(sha256(content))
  }
}

describe.each(['forks', 'vmThreads'])('a suite in the pool %s reaches nothing of the engine', (pool) => {
  const inPool = `pool: '${pool}'`

  test('with fake timers', async () => {
    const source = `
      vi.useFakeTimers()
      test('asks', async ({ models }) => {
        expect(vi.isFakeTimers()).toBe(true)
        ${ASK}
      })
    `
    const { cold } = await runTwice({ source, test: inPool })
    // The wait between the two tries lasted real time, and is counted.
    expect(cold.report?.models[0]?.downloadMs).toBeGreaterThan(100)
  })

  test('with a clock that stands still in 1970', async () => {
    const source = `
      beforeEach(() => { vi.useFakeTimers({ toFake: ['Date', 'performance'] }); vi.setSystemTime(0) })
      test('asks', async ({ models }) => {
        ${ASK}
        expect(Date.now()).toBe(0)
      })
    `
    const started = Date.now()
    const { folder, warm } = await runTwice({ source, test: inPool })
    const [entry, ...others] = JSON.parse(await readFile(join(folder, 'cache_metadata.json'), 'utf8'))
    expect(others).toEqual([])
    for (const date of [entry.cachedDate, entry.lastAccessDate]) {
      expect(Date.parse(date)).toBeGreaterThanOrEqual(started)
      expect(Date.parse(date)).toBeLessThanOrEqual(Date.now())
    }
    expect(warm.report?.cache).toMatchObject({ entries: 1 })
  })

  test('with its own fetch', async () => {
    const source = `
      const mine = () => { throw new Error('The network is not for tests') }
      globalThis.fetch = mine
      beforeEach(() => { vi.stubGlobal('fetch', mine); vi.stubGlobal('Headers', undefined); })
      test('asks', async ({ models }) => {
        ${ASK}
        expect(() => fetch('${hub.url}')).toThrow('not for tests')
      })
    `
    await runTwice({ source, test: inPool })
  })

  test('with its own file functions', async () => {
    const source = `
      import fs from 'node:fs'
      import promises, { readFile } from 'node:fs/promises'
      import * as bare from 'fs'
      vi.mock('node:fs')
      vi.mock('node:fs/promises', () => {
        const files = new Map()
        const own = { readFile: async (path) => files.get(path) ?? 'mine', stat: async () => { throw new Error('mine') } }
        return { ...own, default: own }
      })
      vi.mock('fs')
      test('asks', async ({ models }) => {
        ${ASK}
        expect(vi.isMockFunction(fs.readFileSync)).toBe(true)
        expect(vi.isMockFunction(bare.statSync)).toBe(true)
        expect(await readFile('anything')).toBe('mine')
        await expect(promises.stat('anything')).rejects.toThrow('mine')
      })
    `
    await runTwice({ source, test: inPool })
  })

  test('with spies on the file functions of Node.js itself', async () => {
    const source = `
      import { createRequire, syncBuiltinESMExports } from 'node:module'
      const fs = createRequire(import.meta.url)('node:fs')
      test('asks', async ({ models }) => {
        const no = () => { throw new Error('The disk is not for tests') }
        const spies = [
          ...['stat', 'readFile', 'open', 'createReadStream', 'readlinkSync'].map((name) => vi.spyOn(fs, name).mockImplementation(no)),
          ...['stat', 'open', 'rename', 'writeFile', 'mkdir'].map((name) => vi.spyOn(fs.promises, name).mockImplementation(no)),
        ]
        try {
          ${ASK}
          expect(() => fs.createReadStream('anything')).toThrow('not for tests')
        } finally {
          for (const spy of spies) spy.mockRestore()
        }
      })
    `
    await runTwice({ source, test: inPool })
  })
})

test('a suite that replaces the read functions of Node.js is served the warmed files', async () => {
  const source = `
    import { createRequire } from 'node:module'
    const fs = createRequire(import.meta.url)('node:fs')
    test('asks', async ({ models }) => {
      const spies = [vi.spyOn(fs.promises, 'readFile'), vi.spyOn(fs, 'readFileSync')].map((spy) => spy.mockReturnValue('mine'))
      try {
        ${ASK}
        expect([fs.promises.readFile('x'), fs.readFileSync('x')]).toEqual(['mine', 'mine'])
      } finally {
        for (const spy of spies) spy.mockRestore()
      }
    })
  `
  const options = { models: ['org/weights'] }
  const consumer = await Consumer.create({
    files: { 'vitest.config.ts': configSource(options), 'a.test.ts': `${HEAD}\n${source}` },
  })
  const run = await consumer.vitest([], env)
  expect(run, run.output).toMatchObject({ exitCode: 0, report: { requests: 1, errors: [] } })
})

test('a suite that moves its fake clock by a day does not affect the engine', async () => {
  const source = `
    test('asks', async ({ models }) => {
      vi.useFakeTimers()
      const asked = models.path('org/weights')
      await vi.advanceTimersByTimeAsync(86_400_000)
      expect(await asked).toMatch(/snapshots.${commit}$/)
    })
  `
  await runTwice({ source })
})

test.each(['forks', 'vmForks'])(
  'a suite in the pool %s that leaves its folder, and removes where it went, reaches nothing of the engine',
  async (pool) => {
    const source = `
      import { mkdtempSync, rmdirSync } from 'node:fs'
      import { tmpdir } from 'node:os'
      test('asks', async ({ models }) => {
        expect(process.cwd()).toBe('/')
        const folder = mkdtempSync(tmpdir() + '/left ')
        process.chdir(folder)
        rmdirSync(folder)
        expect(() => process.cwd()).toThrow()
        try {
          ${ASK}
        } finally {
          process.chdir(import.meta.dirname)
        }
      })
    `
    await runTwice({
      source,
      files: { 'setup.ts': `process.chdir('/')` },
      test: `pool: '${pool}', setupFiles: ['./setup.ts']`,
      options: { cacheDir: './deep/cache' },
      cacheDir: 'deep/cache',
    })
  },
)

describe('a suite that changes the environment does not affect the engine:', () => {
  test.each([
    ['it is replaced', `process.env = {}`],
    ['it is emptied', `for (const name of Object.keys(process.env)) delete process.env[name]`],
    [
      'it names another Hub, another token and another folder',
      `
        for (const name of ['HF_ENDPOINT', 'MODEL_CACHE_DIR', 'HOME', 'HF_HOME']) vi.stubEnv(name, 'http://127.0.0.1:9')
        for (const name of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) vi.stubEnv(name, 'hf_of_the_suite')
        for (const name of ['HF_HUB_OFFLINE', 'MODEL_CACHE_OFFLINE']) vi.stubEnv(name, '1')
      `,
    ],
  ])('%s', async (_, change) => {
    // The Hub answers only with the right token.
    const source = `${change}; test('asks', async ({ models }) => { ${ASK_PRIVATE} })`
    await runTwice({ source, env: { HF_TOKEN: TOKEN } })
  })

  test('but a setup file may set a token', async () => {
    const source = `test('asks', async ({ models }) => { ${ASK_PRIVATE} })`
    const files = { 'setup.ts': `process.env.HF_TOKEN = '${TOKEN}'` }
    await runTwice({ source, files, test: `setupFiles: ['./setup.ts']` })
  })
})

test.each(['forks', 'threads'])(
  'a suite in the pool %s with a process, a console and digests of its own reaches nothing of the engine',
  async (pool) => {
    const source = `
    import crypto from 'node:crypto'
    for (const name of ['createHash', 'randomBytes']) vi.spyOn(crypto, name).mockImplementation(() => { throw new Error('No digests') })
    vi.spyOn(process, 'exit').mockImplementation(() => { throw new Error('No exit') })
    vi.spyOn(process, 'kill').mockImplementation(() => { throw Object.assign(new Error('All are dead'), { code: 'ESRCH' }) })
    vi.spyOn(process, 'on').mockImplementation(() => process)
    vi.spyOn(process.stderr, 'write').mockImplementation(() => { throw new Error('No output') })
    for (const name of ['log', 'warn', 'error', 'debug']) vi.spyOn(console, name).mockImplementation(() => { throw new Error('No output') })
    vi.spyOn(Math, 'random').mockReturnValue(0)
    test('asks', async ({ models }) => {
      const own = globalThis.process
      vi.stubGlobal('process', { env: {} })
      vi.stubGlobal('console', undefined)
      try {
        ${ASK}
      } finally {
        vi.unstubAllGlobals()
      }
      expect(own).toBe(process)
      expect(process.exit).not.toHaveBeenCalled()
    })
  `
    await runTwice({ source, test: `pool: '${pool}'` })
  },
)

test.each(['forks', 'vmThreads'])(
  'what was warmed is served in the pool %s even where neither import nor fetch work any more',
  async (pool) => {
    const source = `
      import { createRequire } from 'node:module'
      const fs = createRequire(import.meta.url)('node:fs')
      test('asks', async ({ models }) => {
        const spies = [vi.spyOn(fs.promises, 'readFile').mockResolvedValue('mine'), vi.spyOn(fs, 'readFileSync').mockReturnValue('mine')]
        for (const name of ['URL', 'AbortController', 'ReadableStream', 'Response']) vi.stubGlobal(name, {})
        try {
          ${ASK}
        } finally {
          vi.unstubAllGlobals()
          for (const spy of spies) spy.mockRestore()
        }
      })
    `
    await runTwice({ source, test: `pool: '${pool}'`, options: { models: ['org/weights'] } })
  },
)
