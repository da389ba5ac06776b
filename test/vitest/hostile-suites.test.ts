import { describe } from 'vitest'
import { startModelsHub } from '../support/models-hub.ts'
import { type Group, runSuitesTwice } from '../support/run-suites-twice.ts'

const TOKEN = 'hf_of_the_user'
const models = await startModelsHub([], { token: TOKEN })
const runTwice = (group: Group) => runSuitesTwice(models, group)

const BOTH = ['forks', 'vmThreads']

describe('reaches nothing of the engine: a suite', () => {
  runTwice({
    suites: [
      {
        name: 'with fake timers',
        pools: BOTH,
        source: (ask) => `
          vi.useFakeTimers()
          test('asks', async ({ models }) => {
            expect(vi.isFakeTimers()).toBe(true)
            ${ask}
          })
        `,
      },
      {
        name: 'with a clock that stands still in 1970',
        pools: BOTH,
        source: (ask) => `
          beforeEach(() => { vi.useFakeTimers({ toFake: ['Date', 'performance'] }); vi.setSystemTime(0) })
          test('asks', async ({ models }) => {
            ${ask}
            expect(Date.now()).toBe(0)
          })
        `,
      },
      {
        name: 'that moves its fake clock by a day',
        source: (ask) => `
          test('asks', async ({ models }) => {
            vi.useFakeTimers()
            const asks = async () => { ${ask} }
            const asked = asks()
            await vi.advanceTimersByTimeAsync(86_400_000)
            await asked
          })
        `,
      },
      {
        name: 'with its own fetch',
        pools: BOTH,
        source: (ask) => `
          const mine = () => { throw new Error('The network is not for tests') }
          globalThis.fetch = mine
          beforeEach(() => { vi.stubGlobal('fetch', mine); vi.stubGlobal('Headers', undefined); })
          test('asks', async ({ models }) => {
            ${ask}
            expect(() => fetch('${models.hub.url}')).toThrow('not for tests')
          })
        `,
      },
      {
        name: 'with its own file functions',
        pools: BOTH,
        source: (ask) => `
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
            ${ask}
            expect(vi.isMockFunction(fs.readFileSync)).toBe(true)
            expect(vi.isMockFunction(bare.statSync)).toBe(true)
            expect(await readFile('anything')).toBe('mine')
            await expect(promises.stat('anything')).rejects.toThrow('mine')
          })
        `,
      },
      {
        name: 'with spies on the file functions of Node.js itself',
        pools: BOTH,
        source: (ask) => `
          import { createRequire, syncBuiltinESMExports } from 'node:module'
          const fs = createRequire(import.meta.url)('node:fs')
          test('asks', async ({ models }) => {
            const no = () => { throw new Error('The disk is not for tests') }
            const spies = [
              ...['stat', 'readFile', 'open', 'createReadStream', 'readlinkSync'].map((name) => vi.spyOn(fs, name).mockImplementation(no)),
              ...['stat', 'open', 'rename', 'writeFile', 'mkdir'].map((name) => vi.spyOn(fs.promises, name).mockImplementation(no)),
            ]
            try {
              ${ask}
              expect(() => fs.createReadStream('anything')).toThrow('not for tests')
            } finally {
              for (const spy of spies) spy.mockRestore()
            }
          })
        `,
      },
      {
        name: 'that replaces the read functions of Node.js, and has a model warmed',
        isDeclared: true,
        source: (ask) => `
          import { createRequire } from 'node:module'
          const fs = createRequire(import.meta.url)('node:fs')
          test('asks', async ({ models }) => {
            const spies = [vi.spyOn(fs.promises, 'readFile'), vi.spyOn(fs, 'readFileSync')].map((spy) => spy.mockReturnValue('mine'))
            try {
              ${ask}
              expect([fs.promises.readFile('x'), fs.readFileSync('x')]).toEqual(['mine', 'mine'])
            } finally {
              for (const spy of spies) spy.mockRestore()
            }
          })
        `,
      },
      {
        name: 'where neither import nor fetch work any more, and that has a model warmed',
        pools: BOTH,
        isDeclared: true,
        source: (ask) => `
          import { createRequire } from 'node:module'
          const fs = createRequire(import.meta.url)('node:fs')
          test('asks', async ({ models }) => {
            const spies = [vi.spyOn(fs.promises, 'readFile').mockResolvedValue('mine'), vi.spyOn(fs, 'readFileSync').mockReturnValue('mine')]
            for (const name of ['URL', 'AbortController', 'ReadableStream', 'Response']) vi.stubGlobal(name, {})
            try {
              ${ask}
            } finally {
              vi.unstubAllGlobals()
              for (const spy of spies) spy.mockRestore()
            }
          })
        `,
      },
      {
        name: 'with a process, a console and digests of its own',
        pools: ['forks', 'threads'],
        source: (ask) => `
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
              ${ask}
            } finally {
              vi.unstubAllGlobals()
            }
            expect(own).toBe(process)
            expect(process.exit).not.toHaveBeenCalled()
          })
        `,
      },
    ],
  })
})

describe('a suite in a folder of its own', () => {
  runTwice({
    cacheDir: 'deep/cache',
    setupFile: `process.chdir('/')`,
    suites: [
      {
        name: 'that leaves it, and removes where it went, reaches nothing of the engine',
        pools: ['forks', 'vmForks'],
        source: (ask) => `
          import { mkdtempSync, rmdirSync } from 'node:fs'
          import { tmpdir } from 'node:os'
          test('asks', async ({ models }) => {
            expect(process.cwd()).toBe('/')
            const folder = mkdtempSync(tmpdir() + '/left ')
            process.chdir(folder)
            rmdirSync(folder)
            expect(() => process.cwd()).toThrow()
            try {
              ${ask}
            } finally {
              process.chdir(import.meta.dirname)
            }
          })
        `,
      },
    ],
  })
})

describe('a suite that changes the environment does not affect the engine:', () => {
  const changes = {
    'it is replaced': `process.env = {}`,
    'it is emptied': `for (const name of Object.keys(process.env)) delete process.env[name]`,
    'it names another Hub, another token and another folder': `
      for (const name of ['HF_ENDPOINT', 'MODEL_CACHE_DIR', 'HOME', 'HF_HOME']) vi.stubEnv(name, 'http://127.0.0.1:9')
      for (const name of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) vi.stubEnv(name, 'hf_of_the_suite')
      for (const name of ['HF_HUB_OFFLINE', 'MODEL_CACHE_OFFLINE']) vi.stubEnv(name, '1')
    `,
  }
  runTwice({
    isPrivate: true,
    env: { HF_TOKEN: TOKEN },
    suites: Object.entries(changes).map(([name, change]) => ({
      name,
      source: (ask) => `${change}; test('asks', async ({ models }) => { ${ask} })`,
    })),
  })
})

describe('a suite that changes the environment:', () => {
  runTwice({
    isPrivate: true,
    setupFile: `process.env.HF_TOKEN = '${TOKEN}'`,
    suites: [
      {
        name: 'its setup file may set a token',
        source: (ask) => `test('asks', async ({ models }) => { ${ask} })`,
      },
    ],
  })
})
