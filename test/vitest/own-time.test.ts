import { expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const WAIT_MS = 2_000

const { hub, env } = await startModelsHub([])
hub.addRepo('org/tiny', { files: { 'config.json': '{}' } })

const ASKS = `import { test } from 'vitest'; test('x', async ({ models }) => { await models.path('org/tiny') })`

// Loading node:crypto takes 2 ms. A worker has to do without it if the warm-up has found its models.
const ASKS_AND_LOADS_NO_CRYPTO = `
  import { expect, test } from 'vitest'
  test('x', async ({ models }) => {
    const isLoaded = () => process.moduleLoadList.includes('NativeModule crypto')
    const before = isLoaded()
    await models.path('org/tiny')
    expect(isLoaded()).toBe(before)
  })
`

test('counts the work of the package, and no waiting: not for a download, also by another worker, and not for a Hub that is unreachable', async () => {
  const files = { 'vitest.config.ts': configSource({}, 'maxWorkers: 2'), 'a.test.ts': ASKS, 'b.test.ts': ASKS }
  const consumer = await Consumer.create({ files })
  hub.fault({ kind: 'api' }, { delayMs: WAIT_MS }, { times: 1 })
  const cold = await consumer.vitest([], { ...env, MODEL_CACHE_WARM: 'declared' })
  expect(cold.exitCode, cold.output).toBe(0)
  expect(cold.report?.times.lookup?.max, cold.output).toBeGreaterThan(WAIT_MS / 2)
  expect(cold.report?.ownMs.workers, cold.output).toMatchObject({ count: 2 })
  expect(cold.report?.ownMs.workers?.max, cold.output).toBeLessThan(cold.report?.times.lookup?.max ?? 0)

  await consumer.write({
    'vitest.config.ts': configSource({ models: ['org/never-there'] }),
    'a.test.ts': ASKS_AND_LOADS_NO_CRYPTO,
  })
  await hub.stopListening()
  const { exitCode, output, report } = await consumer.vitest([], env)
  await hub.resumeListening()
  expect(exitCode, output).toBe(0)
  expect(report?.warmUpMs, output).toBeGreaterThan(500)
  expect(report?.ownMs.main, output).toBeLessThan(report?.warmUpMs ?? 0)
})
