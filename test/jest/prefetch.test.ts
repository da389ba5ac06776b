import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Consumer } from '../support/consumer.ts'
import { jestFiles } from '../support/jest/jest-files.ts'
import { copyRecords, startPrefetchHub } from '../support/prefetch-hub.ts'

const { hub, env, bytes, ran, hasRun, hold } = await startPrefetchHub()

/** A test file whose name the Hub learns when its test runs. Its limit is shorter than a download that is held back. */
const testOf = (name: string, repo?: string) => `
  test('runs', async () => {
    ${repo ? `await models.path('${repo}')` : ''}
    await fetch('${hub.url}/ran/${name}')
  })
`

/** A test that leaves mocks behind. In one process with the downloads, these must not meet them. */
const MOCKS = `
  const fs = require('fs')
  const die = () => { throw new Error('This is a mock.') }
  for (const name of ['openSync', 'renameSync', 'writeFileSync', 'mkdirSync']) jest.spyOn(fs, name).mockImplementation(die)
  for (const name of ['open', 'rename', 'mkdir', 'link']) jest.spyOn(fs.promises, name).mockImplementation(die)
  require('http').request = require('https').request = die
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] })
`

const FILES = {
  ...jestFiles({ config: { transform: {} } }),
  'jest.config.mjs': `
    import { withModelCache } from 'vitest-model-cache/jest'
    export default withModelCache({
      transform: {},
      testSequencer: process.env.OWN_ORDER && './by-name.cjs',
      workerThreads: !!process.env.THREADS,
      cacheDirectory: '<rootDir>/jest-cache',
      modelCache: { report: { outputFile: 'report.json' } },
    })
  `,
  'by-name.cjs': `
    const { default: Sequencer } = require('@jest/test-sequencer')
    module.exports = class extends Sequencer {
      sort = (tests) => [...tests].sort((a, b) => (a.path < b.path ? -1 : 1))
    }
  `,
  'own-environment.cjs': `
    module.exports = class extends require('jest-environment-node').TestEnvironment {
      setup = async () => void (await fetch('${hub.url}/ran/environment'))
    }
  `,
  // Its environment is not ours: the models come from our test runner.
  'a.test.js': `/** @jest-environment ./own-environment.cjs */ ${testOf('a', 'org/large')}`,
  'b.test.js': testOf('b', 'org/small'),
  'c.test.js': `${testOf('c')} test('mocks', () => { ${MOCKS} })`,
  'd.test.js': testOf('d'),
}

test('tests run while the models of others are downloaded, in one process, in workers and in threads', async () => {
  const consumer = await Consumer.create({ files: FILES })
  const trained = await consumer.jest(['--runInBand'], env)
  expect(trained.exitCode, trained.output).toBe(0)
  expect(trained.report).toMatchObject({ misses: 2 })
  let copies = 0
  /** Runs tests with an empty cache that has the record of the first run. */
  const runCold = async (args: string[], variables: Record<string, string> = {}) => {
    const folder = `${consumer.cacheDir} ${++copies}`
    await copyRecords(consumer.cacheDir, folder)
    const result = await consumer.jest(args, { ...env, ...variables, MODEL_CACHE_DIR: folder })
    return { ...result, left: await readdir(`${folder}/events`).catch(() => []) }
  }

  const finished = async (args: string[], variables = {}) => {
    const { exitCode, output, report, left, json } = await runCold(args, variables)
    expect(exitCode, output).toBe(0)
    expect(report?.prefetch, output).toMatchObject({ models: ['org/large', 'org/small'], unfinished: [] })
    // The downloads of the warm-up are the only ones: no test waited for its model within its time limit.
    expect(report).toMatchObject({ requests: 2, misses: 2, tiers: { hub: 2 }, times: { download: { count: 2 } } })
    expect(hub.bytesSent({ origin: 'cdn' })).toBe(bytes)
    expect(output).not.toContain('open handle')
    expect(left).toEqual([])
    return json
  }
  for (const args of [
    ['--runInBand', '--detectOpenHandles'],
    ['--maxWorkers=3', '--workerIdleMemoryLimit=2GB', '--reporters=default'],
  ]) {
    hub.clearRequests()
    const mends = [hold('org/small', Promise.all([hasRun('c'), hasRun('d')])), hold('org/large', hasRun('b'))]
    await finished(args)
    for (const mend of mends) mend()
    const order = ran().filter((name) => name !== 'environment')
    expect(order.slice(0, 2).sort()).toEqual(['c', 'd'])
    expect(order.slice(2)).toEqual(['b', 'a'])
  }

  // A sequencer of the user keeps its order.
  hub.clearRequests()
  const mends = ['org/small', 'org/large'].map((repo) => hold(repo, hasRun('environment')))
  const results = await finished(['--runInBand'], { OWN_ORDER: 'yes' })
  expect(ran()).toEqual(['environment', 'a', 'b', 'c', 'd'])
  // Jest keeps the times of test files for the next run, without the time in which they waited.
  const waiting = results?.testResults.find(({ name }) => name.endsWith('a.test.js'))
  const [kept = ''] = (await readdir(join(consumer.directory, 'jest-cache'))).filter((name) => /^perf-cache/.test(name))
  const times = JSON.parse(await readFile(join(consumer.directory, 'jest-cache', kept), 'utf8'))
  expect(times[waiting?.name ?? ''][1]).toBeLessThan((waiting?.endTime ?? 0) - (waiting?.startTime ?? 0))
  for (const mend of mends) mend()

  // A run that is cancelled does not wait for downloads. These end when the test does.
  for (const repo of ['org/small', 'org/large']) hold(repo, new Promise((end) => onTestFinished(end)))
  await consumer.write({ 'c.test.js': "test('fails', () => { throw new Error('c') })" })
  const cancelled = await runCold(['--bail', '--maxWorkers=3', '--workerIdleMemoryLimit=2GB'], { THREADS: 'yes' })
  expect(cancelled, cancelled.output).toMatchObject({ exitCode: 1, left: [] })
  expect(cancelled.report?.prefetch).toMatchObject({ models: [], unfinished: ['org/large', 'org/small'] })
  expect(cancelled.output).toContain('the tests ended before these downloads')
})
