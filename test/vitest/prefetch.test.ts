import { readdir } from 'node:fs/promises'
import { expect, onTestFinished, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { copyRecords, startPrefetchHub } from '../support/prefetch-hub.ts'

const { hub, env, bytes, ran, hasRun, hold } = await startPrefetchHub()

/** A test file whose name the Hub learns when its test runs. */
const testOf = (name: string, repo?: string) => `
  import { test } from 'vitest'
  test('runs', async ({ models }) => {
    ${repo ? `await models.path('${repo}')` : ''}
    await fetch('${hub.url}/ran/${name}')
  })
`

test('tests run while the models of others are downloaded, in the order of the arrivals', async () => {
  const consumer = await Consumer.create({
    files: {
      'vitest.config.ts': configSource(
        {},
        `maxWorkers: 1, sequence: process.env.OWN_ORDER ? { sequencer } : {}, reporters: ['default', queued]`,
      ).replace(
        'export default',
        `import { BaseSequencer } from 'vitest/node'
         class sequencer extends BaseSequencer {
           sort(files) { return files.toSorted((a, b) => a.moduleId < b.moduleId ? -1 : 1) }
         }
         const queued = { onTestModuleQueued: ({ moduleId }) => fetch('${hub.url}/queued/' + moduleId.at(-9)) }
         export default`,
      ),
      'a.test.ts': testOf('a', 'org/large'),
      'b.test.ts': testOf('b', 'org/small'),
      'c.test.ts': testOf('c'),
      'd.test.ts': testOf('d'),
    },
  })
  const trained = await consumer.vitest([], env)
  expect(trained.exitCode, trained.output).toBe(0)
  expect(trained.report).toMatchObject({ prefetch: null, misses: 2 })
  expect(ran().sort()).toEqual(['a', 'b', 'c', 'd'])
  let copies = 0
  /** Runs tests with an empty cache that has the record of the first run. */
  const runCold = async (args: string[] = [], variables = {}) => {
    const folder = `${consumer.cacheDir} ${++copies}`
    await copyRecords(consumer.cacheDir, folder)
    const result = await consumer.vitest(args, { ...env, ...variables, MODEL_CACHE_DIR: folder })
    return { ...result, left: await readdir(`${folder}/events`).catch(() => []) }
  }

  hub.clearRequests()
  const mends = [hold('org/small', Promise.all([hasRun('c'), hasRun('d')])), hold('org/large', hasRun('b'))]
  const { exitCode, output, report } = await runCold()
  expect(exitCode, output).toBe(0)
  expect(ran().slice(0, 2).sort()).toEqual(['c', 'd'])
  expect(ran().slice(2)).toEqual(['b', 'a'])
  expect(report?.prefetch).toMatchObject({ models: ['org/large', 'org/small'], unfinished: [] })
  // The downloads of the warm-up are the only ones: no test waited for its model within its time limit.
  expect(report).toMatchObject({ requests: 2, misses: 2, tiers: { hub: 2 }, times: { download: { count: 2 } } })
  expect(hub.bytesSent({ origin: 'cdn' })).toBe(bytes)

  // A run that is cancelled does not wait for downloads. These end when the test does. A sequencer of the user keeps its order: the last
  // file does not begin, because the two that wait come before it.
  hub.clearRequests()
  for (const mend of mends) mend()
  for (const repo of ['org/small', 'org/large']) hold(repo, new Promise((end) => onTestFinished(end)))
  // Vitest does not cancel a worker that has not begun with its file.
  const bothWait = Promise.all(['a', 'b'].map((name) => hub.waitForRequest({ path: `/queued/${name}` })))
  onTestFinished(hub.fault({ path: '/ran/c' }, { until: bothWait }))
  await consumer.write({ 'c.test.ts': testOf('c').replace('await fetch', 'throw await fetch') })
  const cancelled = await runCold(['--bail=1', '--maxWorkers=3'], { OWN_ORDER: 'yes' })
  expect(cancelled).toMatchObject({ exitCode: 1, left: [] })
  expect(ran()).not.toContain('d')
  expect(cancelled.report?.prefetch).toMatchObject({ models: [], unfinished: ['org/large', 'org/small'] })
  expect(cancelled.output).toContain('the tests ended before these downloads')
})
