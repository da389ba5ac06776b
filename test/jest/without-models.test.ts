import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Consumer } from '../support/consumer.ts'
import { jestFiles } from '../support/jest/jest-files.ts'
import { startModelsHub } from '../support/models-hub.ts'

const REPO = 'org/embeddings'
const { env } = await startModelsHub([REPO])

const ADDED = `['fetch', 'Response', 'setImmediate', 'structuredClone', 'TextEncoder', 'ReadableStream'].filter(
  (name) => name in globalThis
)`

const TESTS = {
  'window-without-models': `
    test('the window is that of jsdom', () => {
      expect(${ADDED}).toEqual([])
      expect(new Float32Array(1)).toBeInstanceOf(Object)
      expect(new Float32Array(1).buffer).toBeInstanceOf(ArrayBuffer)
      expect(require('two-builds')).toBe('browser')
    })
  `,
  'window-with-models': `
    test('a model of the worker', async () => {
      const embed = await models.pipeline('feature-extraction', '${REPO}')
      expect((await embed('A dog', { pooling: 'mean' })).data).toBeInstanceOf(Float32Array)
      globalThis.models = 'the name is free'
      expect(models).toBe('the name is free')
    })
  `,
  'window-with-untouched': `
    test('a model of transformers.js', async () => {
      expect(${ADDED}).toEqual([])
      const { pipeline } = require('@huggingface/transformers')
      const embed = await pipeline('feature-extraction', '${REPO}')
      expect((await embed('A dog', { pooling: 'mean' })).data).toBeInstanceOf(Float32Array)
    })
  `,
}

test('a window is changed only in test files that use a model', async () => {
  const project = await Consumer.create({
    files: {
      ...jestFiles({
        config: { testEnvironment: 'jsdom', maxWorkers: 1 },
        tests: TESTS,
      }),
    },
  })
  await project.write({
    'node_modules/two-builds/package.json': JSON.stringify({
      exports: { browser: './browser.js', node: './node.js', default: './node.js' },
    }),
    'node_modules/two-builds/browser.js': `module.exports = 'browser'`,
    'node_modules/two-builds/node.js': `module.exports = 'node'`,
  })
  // The working directory has no packages.
  const command = 'app/node_modules/jest/bin/jest.js --config app/jest.config.mjs'
  const { output, exitCode } = await project.shell(`echo '{}' > package.json && "${project.node}" ${command}`, env)
  expect(output).toMatch(/^Tests: +3 passed, 3 total$/m)
  expect(exitCode).toBe(0)
})

test('hooks of projects that do not run are not called, and presets are found from the folder of the config', async () => {
  const hook = (name: string) =>
    `module.exports = () => require('fs').appendFileSync(__dirname + '/../calls.txt', '${name} ')`
  const passes = 'test("passes", () => { expect(location.href).toBe("http://preset.test/") })'
  const project = await Consumer.create({
    files: {
      'package.json': '{ "private": true }',
      'hooks/run.js': `${hook('run')}; if (process.env.THROWS) throw new Error('No setup')`,
      'hooks/end.js': hook('end'),
      'hooks/preset.js': hook('preset'),
      'hooks/absent.js': `module.exports = () => { throw new Error('Its server is not running') }`,
      'preset.js': `module.exports = {
        testEnvironment: 'jsdom',
        testEnvironmentOptions: { url: 'http://preset.test/' },
        globalSetup: '<rootDir>/../hooks/preset.js',
        transform: {},
      }`,
      'jest.config.js': `
        const { withModelCache } = require('vitest-model-cache/jest')
        module.exports = withModelCache({
          globalSetup: './hooks/run.js',
          globalTeardown: '<rootDir>/hooks/end.js',
          projects: [
            { displayName: 'one', rootDir: 'one', preset: '../preset', },
            { displayName: 'two', rootDir: 'two', globalSetup: '../hooks/absent.js', globalTeardown: '../hooks/absent.js' },
          ],
        })
      `,
      // Another version of Jest, which is not the one that runs.
      ...Object.fromEntries(
        ['jest', '@jest/core', 'jest-config', 'jest-circus'].map((name) => [
          `one/node_modules/${name}/package.json`,
          JSON.stringify({ name, version: '29.0.0' }),
        ]),
      ),
      'one/node_modules/jest-circus/runner.js': `throw new Error('Another Jest')`,
      'paths.config.js': `module.exports = { projects: ['<rootDir>/one', '<rootDir>/two'] }`,
      ...Object.fromEntries(
        ['one', 'two'].flatMap((name) => [
          [`${name}/a.test.js`, passes],
          [
            `${name}/jest.config.js`,
            `module.exports = require('vitest-model-cache/jest').withModelCache(async () => ({ preset: '../preset.js' }))`,
          ],
        ]),
      ),
    },
  })
  const calls = () => readFile(join(project.directory, 'calls.txt'), 'utf8')
  const inline = await project.jest(['one/'], env)
  expect(inline.json, inline.output).toMatchObject({ success: true, numPassedTests: 1 })
  expect(await calls()).toBe('preset run end ')

  await project.write({ 'calls.txt': '' })
  const byPath = await project.jest(['--config=paths.config.js', '--runInBand'], env)
  expect(byPath.json, byPath.output).toMatchObject({ success: true, numPassedTests: 2 })
  expect(await calls()).toBe('preset ')

  const failed = await project.jest(['one/'], { ...env, THROWS: '1' })
  expect(failed.stderr).toContain('No setup')
  for (const folder of ['events', 'leases'])
    expect(await readdir(join(project.cacheDir, folder)).catch(() => [])).toEqual([])
})
