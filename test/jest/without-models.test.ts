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
  const { json, output, exitCode } = await project.jest([], env)
  expect(json, output).toMatchObject({ numFailedTests: 0, numPassedTests: 3 })
  expect(exitCode).toBe(0)
})
