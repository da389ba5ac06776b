import { jestFiles } from '../jest/jest-files.ts'
import { DECLARED, UNTOUCHED } from './fixture.ts'
import type { JestCell } from './jest-cells.ts'
import { WRAPPER } from './wrapper.ts'

/** A suite for Jest: each file loads models in another way. `hasFormer`: the wrapper is installed. */
export function jestSuite({ pool, kind, environment }: JestCell, hasFormer: boolean) {
  const types = kind === 'ts-jest' ? '/// <reference types="vitest-model-cache/jest/globals" />' : ''
  const models = `${types}${modelsTest(pool, environment)}`
  const untouched = untouchedTest('@huggingface/transformers', '4')
  const tests = {
    ...{ 'untouched-1': untouched, 'untouched-2': untouched, 'models-1': models, 'models-2': models },
    'reads-1': READS_TEST,
    ...(hasFormer && { 'former-1': untouchedTest(WRAPPER, '3') }),
  }
  const config = {
    testEnvironment: environment,
    maxWorkers: kind === 'cjs' || kind === 'esm' ? 2 : 4,
    workerThreads: pool === 'threads',
    // Without the times of earlier runs, Jest does not decide to run in band.
    cache: false,
  }
  return {
    files: {
      ...jestFiles({ kind, options: { models: [DECLARED] }, config, tests }),
      'program.mjs': PROGRAM,
    },
    /** One for each file, and one for the child process of `reads-1`. */
    requests: Object.keys(tests).length + 1,
  }
}

// These tests do not mention the package. Each sets its own cache folder, in which a second copy would be found.
function untouchedTest(library: string, major: string): string {
  return `
    import { env, pipeline } from '${library}'
    env.cacheDir = './own-cache'
    env.remoteHost = process.env.PLAIN_HUB ? process.env.PLAIN_HUB + '/' : env.remoteHost
    test('embeds', async () => {
      expect(env.version[0]).toBe('${major}')
      const embed = await pipeline('feature-extraction', '${UNTOUCHED}')
      expect((await embed('A dog', { pooling: 'mean', normalize: true })).data[0]).toBeCloseTo(-0.2976082)
    })
  `
}

/** Also checks that the tests run in the pool and the environment of the cell. */
function modelsTest(pool: string, environment: string): string {
  return `
    import { isMainThread } from 'node:worker_threads'
    test('embeds', async () => {
      const embed = await models.pipeline('feature-extraction', '${DECLARED}')
      expect((await embed('A dog', { pooling: 'mean', normalize: true })).data[0]).toBeCloseTo(-0.2976082)
    })
    test('runs where it should', () => {
      expect(isMainThread).toBe(${pool !== 'threads'})
      expect(/jest-worker/.test(process.argv[1] ?? '')).toBe(${pool !== 'band'})
      expect(typeof Reflect.get(globalThis, 'document')).toBe('${environment === 'node' ? 'undefined' : 'object'}')
    })
  `
}

const READS_TEST = `
  import { execFile } from 'node:child_process'
  import { get } from 'node:https'
  test('fetch', async () => {
    // The window of jsdom has no fetch. It gets one when a test file uses the models.
    Reflect.get(globalThis, 'models')
    const response = await fetch(process.env.HF_ENDPOINT + '/${UNTOUCHED}/resolve/main/config.json')
    expect((await response.json()).model_type).toBe('bert')
  })
  test('node:https', async () => {
    const status = await new Promise((resolve, reject) => {
      get('https://huggingface.co/${UNTOUCHED}/resolve/main/config.json', (response) => {
        response.resume()
        resolve(response.statusCode)
      }).on('error', reject)
    })
    expect(status).toBe(200)
  })
  test('a child process', async () => {
    const output = await new Promise((resolve, reject) => {
      execFile(process.execPath, ['program.mjs'], (error, stdout) => (error ? reject(error) : resolve(stdout.trim())))
    })
    expect(output).toBe('-0.2976')
  })
`

const PROGRAM = `
  import { env, pipeline } from '@huggingface/transformers'
  env.cacheDir = './own-cache'
  const embed = await pipeline('feature-extraction', '${UNTOUCHED}')
  console.log((await embed('A dog', { pooling: 'mean', normalize: true })).data[0].toFixed(4))
`
