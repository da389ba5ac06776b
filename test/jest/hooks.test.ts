import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Consumer } from '../support/consumer.ts'
import { jestFiles } from '../support/jest/jest-files.ts'
import { startModelsHub } from '../support/models-hub.ts'

const REPO = 'org/embeddings'
const { hub, env } = await startModelsHub([REPO])
hub.addRepo('org/tiny', { files: { 'config.json': '{"tiny":true}' } })

const ASKS = `
  test('models', async () => { expect(await models.file('org/tiny', 'config.json')).toContain('config.json') })
  test('fetch', async () => {
    const response = await fetch('https://huggingface.co/org/tiny/resolve/main/config.json')
    expect(await response.json()).toEqual({ tiny: true })
  })
`
const EMBEDS = `
  import { env, pipeline } from '@huggingface/transformers'
  env.cacheDir = './own-cache'
  test('pipeline', async () => {
    const embed = await pipeline('feature-extraction', '${REPO}')
    expect((await embed('A dog', { pooling: 'mean' })).dims).toEqual([1, 16])
  })
`
/** Tests that load models in an environment that a docblock names. */
const inEnvironment = (name: string, check: string, more = '') => `/** @jest-environment ${name} */
  ${more}
  ${ASKS}
  test('environment', () => { ${check} })
  test('own provider', async () => { expect(await models.provider('names').load('org/tiny')).toBe('org/tiny') })
`

const TESTS = {
  jsdom: inEnvironment('jsdom', `expect(document.body.nodeName).toBe('BODY')`, EMBEDS),
  'happy-dom': inEnvironment('@happy-dom/jest-environment', 'expect(window.happyDOM).toBeDefined()', EMBEDS),
  own: inEnvironment(
    './own-environment.cjs',
    `expect([ofOwnEnvironment, globalThis.modelCache]).toEqual(['setup', undefined])`,
    EMBEDS,
  ),
  'own-with-models': inEnvironment('./with-models.mjs', `expect(ofOwnEnvironment).toBe('setup')`),
  'modern-timers': `
    jest.useFakeTimers({ now: 0 })
    ${ASKS}
    test('embeds', async () => {
      const embed = await models.pipeline('feature-extraction', '${REPO}')
      expect((await embed('A dog', { pooling: 'mean' })).dims).toEqual([1, 16])
    })
  `,
  'legacy-timers': `
    jest.useFakeTimers({ legacyFakeTimers: true })
    ${ASKS}
  `,
  'mocked-fetch': `
    global.fetch = jest.fn(async () => new Response('mocked'))
    ${EMBEDS}
    test('models', async () => { expect(await models.file('org/tiny', 'config.json')).toContain('config.json') })
    test('fetch is that of the suite', async () => {
      expect(await (await fetch('https://huggingface.co/org/tiny/resolve/main/config.json')).text()).toBe('mocked')
    })
  `,
  'mocked-fs': `
    jest.mock('fs')
    jest.mock('node:fs')
    jest.mock('node:fs/promises')
    ${ASKS}
    test('fs is mocked', () => { expect(require('fs').existsSync(__filename)).toBeUndefined() })
  `,
  'reset-modules': `
    beforeEach(() => { jest.resetModules(); jest.restoreAllMocks() })
    ${ASKS}
    test('again', async () => {
      const { models: imported } = require('vitest-model-cache/jest')
      expect(await imported.file('org/tiny', 'config.json')).toBe(await models.file('org/tiny', 'config.json'))
    })
  `,
}

// Notes the workers in which it is used, and those that end because nothing keeps them alive. Jest ends others: by SIGTERM after half a
// second, and by SIGKILL after another half.
const ENVIRONMENT = `
  const { writeFileSync } = require('node:fs')
  const { TestEnvironment } = require('jest-environment-node')
  process.once('beforeExit', () => writeFileSync('ended-' + process.pid, ''))
  process.once('SIGTERM', () => undefined)
  writeFileSync('used-' + process.pid, '')
  module.exports = class extends TestEnvironment {
    async setup() {
      await super.setup()
      this.global.ofOwnEnvironment = 'setup'
    }
  }
`
const FILES = {
  ...jestFiles({
    config: {
      ...{ maxWorkers: 2, globalSetup: './set-up.mjs', globalTeardown: '<rootDir>/tear-down.cjs' },
      reporters: ['default', ['./own-reporter.cjs', { file: 'own-reporter.txt' }]],
    },
    options: { models: ['org/tiny'], providers: ['./names.cjs'] },
    tests: TESTS,
  }),
  'names.cjs': `
    const { defineProvider } = require('vitest-model-cache/jest')
    defineProvider({ name: 'names', load: ({ model }) => model.repo })
  `,
  'own-environment.cjs': ENVIRONMENT,
  'with-models.mjs': `
    import { withModels } from 'vitest-model-cache/jest/environment'
    import Environment from './own-environment.cjs'
    export default withModels(Environment)
  `,
  'set-up.mjs': `
    export default async (globalConfig, projectConfig) => {
      process.env.OF_SET_UP = projectConfig.rootDir
      globalThis.ofSetUp = globalConfig.maxWorkers
    }
  `,
  'tear-down.cjs': `
    module.exports = async () => require('fs').writeFileSync('torn-down.txt', String(globalThis.ofSetUp))
  `,
  'own-reporter.cjs': `
    module.exports = class {
      constructor(globalConfig, { file }) { this.file = file }
      onRunComplete(_, { numPassedTests }) { require('fs').writeFileSync(this.file, String(numPassedTests)) }
    }
  `,
}

// On a busy machine a worker may need more than Jest's second to end.
test("the suite's own setup, environments, reporters and mocks keep working, and models are served beside them", {
  retry: 2,
}, async () => {
  const project = await Consumer.create({ files: FILES })
  const { exitCode, json, output, report } = await project.jest([], env)
  const failed = json?.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status !== 'passed')
  expect(failed, output).toEqual([])
  expect(exitCode, output).toBe(0)
  expect(report?.errors).toEqual([])
  expect(report?.models.find(({ repo }) => repo === 'org/tiny')?.testFiles).toHaveLength(Object.keys(TESTS).length)
  const names = await readdir(project.directory)
  const pidsOf = (prefix: string) =>
    names.filter((name) => name.startsWith(prefix)).map((name) => name.replace(prefix, ''))
  expect(pidsOf('ended-')).toEqual(pidsOf('used-'))
  const read = (name: string) => readFile(join(project.directory, name), 'utf8')
  expect(await read('torn-down.txt')).toBe('2')
  expect(await read('own-reporter.txt')).toBe(String(json?.numPassedTests))
})
