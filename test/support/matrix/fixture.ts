import { configSource } from '../config-source.ts'
import type { Cell } from './cells.ts'

/** Two repos, so that the costs of the two ways to load a model can be distinguished. */
export const UNTOUCHED = 'org/untouched'
export const DECLARED = 'org/declared'

/** The number of model requests that a run of the fixture reports: one for each test file. */
export const REQUESTS = 4

/** A suite: two files with an untouched `pipeline()`, two with `({ models })`. */
export function suite({ pool, isolate, environment }: Cell): Record<string, string> {
  const test = `pool: '${pool}', isolate: ${isolate}, environment: '${environment}'`
  return {
    'vitest.config.mts': configSource({ models: [DECLARED] }, `${test}, maxWorkers: 2`),
    ...twice('untouched', UNTOUCHED_TEST),
    ...twice('models', modelsTest(pool, environment)),
  }
}

function twice(name: string, source: string): Record<string, string> {
  return { [`${name}-1.test.js`]: source, [`${name}-2.test.js`]: source }
}

// This test does not mention the package. It sets its own cache folder, in which a second copy would be found.
const UNTOUCHED_TEST = `
  import { expect, test } from 'vitest'
  import { env, pipeline } from '@huggingface/transformers'
  env.cacheDir = './own-cache'
  test('embeds', async () => {
    const embed = await pipeline('feature-extraction', '${UNTOUCHED}')
    expect((await embed('A dog', { pooling: 'mean', normalize: true })).data[0]).toBeCloseTo(-0.2976082)
  })
`

/** Also checks that the tests run in the pool and the environment of the cell. */
function modelsTest(pool: string, environment: string): string {
  return `
    import { isMainThread } from 'node:worker_threads'
    import { expect, test } from 'vitest'
    test('embeds', async ({ models }) => {
      const embed = await models.pipeline('feature-extraction', '${DECLARED}')
      expect((await embed('A dog', { pooling: 'mean', normalize: true })).data[0]).toBeCloseTo(-0.2976082)
    })
    test('runs where it should', () => {
      expect(isMainThread).toBe(${pool.toLowerCase().endsWith('forks')})
      expect(Buffer.constructor('return globalThis')() !== globalThis).toBe(${pool.startsWith('vm')})
      expect(typeof document).toBe('${environment === 'node' ? 'undefined' : 'object'}')
    })
  `
}
