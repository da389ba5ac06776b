import { expect, test } from 'vitest'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const { hub, env } = await startModelsHub([])
hub.addRepo('org/tiny', { files: { 'config.json': '{}' } })

const POOLS = ['forks', 'threads', 'vmForks', 'vmThreads']
const ASKS = `
  import { test } from 'vitest'
  import { models } from 'vitest-model-cache/models'
  await models.path('org/tiny')
`
const FILES = {
  'a-throws.test.ts': `${ASKS}\nawait models.path('org/nope').catch(() => {})\nthrow new Error('while it is collected')`,
  'b-skips.test.ts': `${ASKS}\ntest.skip('x', () => {})`,
  // One worker runs all three files. The requests of the others must not count for this one.
  'c-runs.test.ts': `${ASKS}\ntest('x', async () => { await models.path('org/tiny') })`,
}

function everyPool(isolate: boolean): string {
  const plugin = `modelCache({ models: ['org/tiny'], report: { outputFile: 'report.json' } })`
  const projects = POOLS.map(
    (pool) => `{
      plugins: [${plugin}],
      test: { name: '${pool}', pool: '${pool}', isolate: ${isolate}, fileParallelism: false, testTimeout: 30_000 },
    }`,
  )
  return `
    import { defineConfig } from 'vitest/config'
    import { modelCache } from 'vitest-model-cache'
    export default defineConfig({ test: { projects: [${projects}] } })
  `
}

test.each([true, false])(
  'a test file that runs no test keeps its requests, once, in every pool; isolated: %s',
  async (isolate) => {
    const consumer = await Consumer.create({ files: { ...FILES, 'vitest.config.ts': everyPool(isolate) } })
    const { exitCode, output, report } = await consumer.vitest([], env)
    expect(exitCode).toBe(1)
    expect(output).toContain('while it is collected')
    // One request at the top of each file, one in the test, and one that fails. The first request of a warmed model is the miss.
    expect(report, output).toMatchObject({
      ...{
        requests: 5 * POOLS.length,
        misses: 1,
        failed: POOLS.length,
        errorCounts: { MODEL_NOT_FOUND: POOLS.length },
      },
      models: [{ testFiles: expect.arrayContaining(Object.keys(FILES)) }],
    })
  },
)
