import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const REPO = 'org/embeddings'
const { env, hub, repo } = await startModelsHub([REPO])
hub.addRepo('org/tiny', { files: { 'config.json': JSON.stringify({ text: 'x'.repeat(2000) }) } })
const ASKS = `import { test } from 'vitest'; test('x', async ({ models }) => { await models.path('${REPO}') })`
const LOADS = ASKS.replace('models.path(', `models.pipeline('feature-extraction', `)

const ANY = expect.any(Number)
const ANY_SPREAD = { count: 1, total: ANY, p50: ANY, p95: ANY, max: ANY }

async function suite(source: string, options: Parameters<typeof configSource>[0] = { models: [REPO] }, config = '') {
  return Consumer.create({ files: { 'vitest.config.ts': configSource(options, config), 'a.test.ts': source } })
}

test('comes after the summary of Vitest, in lines of at most 120 columns and without colour when piped', async () => {
  const consumer = await suite(ASKS)
  const { stdout } = await consumer.vitest([], { ...env, NO_COLOR: undefined })
  const lines = stdout.split('\n')
  expect(lines.findIndex((line) => line.includes('Model cache'))).toBeGreaterThan(
    lines.findIndex((line) => line.includes('Duration')),
  )
  const own = lines.slice(lines.findIndex((line) => line.includes('Model cache')))
  expect(own.every((line) => line.length <= 120 && !line.includes('\u001b'))).toBe(true)
})

test('is written as JSON that fits the schema', async () => {
  const { report } = await (await suite(LOADS)).vitest([], env)
  expect(report).toEqual({
    schemaVersion: 1,
    ...{ mode: 'integration', mocks: 0 },
    ...{
      requests: 1,
      hits: 0,
      misses: 1,
      failed: 0,
      expectedErrors: 0,
      hitRate: 0,
      isFirstRun: true,
      savedMs: null,
      savedBytes: 0,
      errors: [],
    },
    ...{
      startedAt: expect.any(String),
      durationMs: expect.any(Number),
      warmUpMs: expect.any(Number),
      tiers: { hub: 1 },
    },
    times: { lookup: ANY_SPREAD, restore: null, download: ANY_SPREAD, load: ANY_SPREAD },
    ownMs: { main: ANY, workers: ANY_SPREAD, children: null },
    threads: 'shared',
    prediction: { used: ['org/embeddings'], unused: [], unpredicted: [] },
    prefetch: null,
    ...{
      downloadedBytes: expect.any(Number),
      restoredBytes: 0,
      unpackedBytes: 0,
      adoptedBytes: 0,
      repaired: 0,
      errorCounts: {},
    },
    ...{ evicted: [], expired: [], freedBytes: 0 },
    models: [
      {
        ...{ modelName: 'org_embeddings', repo: REPO, revision: 'main', commit: repo(REPO).commit },
        ...{ tiers: { hub: 1 }, requests: 1, bytes: expect.any(Number), restoreMs: null },
        ...{ lookupMs: expect.any(Number), downloadMs: expect.any(Number), loadMs: expect.any(Number) },
        ...{ downloadedBytes: expect.any(Number), restoredBytes: 0, unpackedBytes: 0, adoptedBytes: 0, repaired: [] },
        ...{ loads: 1, loadMsTotal: expect.any(Number), sharing: null, testFiles: ['a.test.ts'] },
      },
    ],
    cache: { directory: expect.any(String), size: expect.any(Number), maxSize: 2 * 2 ** 30, entries: 1 },
  })
})

test('counts each load once, if a test file loads a model untouched and by `models`', async () => {
  const both = `
    import { pipeline } from '@huggingface/transformers'
    import { test } from 'vitest'
    test('x', async ({ models }) => {
      for (const load of [pipeline, models.pipeline, models.pipeline, pipeline]) await load('feature-extraction', '${REPO}')
    })`
  const { report } = await (await suite(both)).vitest([], env)
  expect(report).toMatchObject({ times: { load: { count: 3 } }, models: [{ requests: 3, loads: 3 }] })
})

test('prints nothing when no model was asked for, and its file says so', async () => {
  const { exitCode, output, report } = await (
    await suite(`import { test } from 'vitest'; test('x', () => {})`, {})
  ).vitest([], env)
  expect(exitCode, output).toBe(0)
  expect(output).not.toContain('Model cache')
  expect(report).toMatchObject({ requests: 0, hitRate: null, models: [] })
})

test('goes to stderr when another reporter owns stdout, and so do the annotations for GitHub', async () => {
  // Vitest 5 prints it only with this option. Vitest 4.1 always does.
  const consumer = await suite(ASKS, undefined, `reporters: [['json', { stdout: true }]]`)
  const summary = join(consumer.directory, 'summary.md')
  await consumer.write({ 'summary.md': '# Of the step before\n' })
  const { stdout, stderr } = await consumer.vitest([], { ...env, GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: summary })
  expect(JSON.parse(stdout)).toMatchObject({ numPassedTests: 1 })
  expect(stderr).toContain('Model cache')
  // GitHub reads warnings at the beginning of lines. The summary file also holds the parts of other tools.
  expect(stderr).not.toContain('::warning')
  expect(await readFile(summary, 'utf8')).toMatch(
    /^# Of the step before\n\n### Model cache\n[\s\S]*\| org\/embeddings \|/,
  )
})

test('is not printed when the option turns it off', async () => {
  const { output, report } = await (await suite(ASKS, { models: [REPO], report: false })).vitest([], env)
  expect(output).not.toContain('Model cache')
  expect(report).toBeUndefined()
})

test('names each decision in the debug log', async () => {
  const consumer = await suite(ASKS)
  const debug = { ...env, MODEL_CACHE_DEBUG: '1' }
  expect((await consumer.vitest([], debug)).output).toContain(`💾 Caching model: ${REPO}`)
  expect((await consumer.vitest([], debug)).output).toMatch(/🎯 Cache HIT: org\/embeddings.* \(age: \d+s\)/)
  await execa('touch', [
    join(consumer.cacheDir, 'hub/models--org--embeddings/snapshots', repo(REPO).commit, 'config.json'),
  ])
  expect((await consumer.vitest([], debug)).output).toContain('Validation: config.json of org/embeddings')
})

test.each([
  [
    'what was not used for longer than maxAge',
    'expired',
    { MODEL_CACHE_MAX_AGE: '8d' },
    /🗑️ Removed expired model: org\/embeddings \(age: \d+d/,
  ],
  [
    'the least recently used beyond maxSize',
    'evicted',
    { MODEL_CACHE_MAX_SIZE: '4KB', MODEL_CACHE_MAX_AGE: '9999d' },
    /Removed model to make room for org\/tiny: org\/embeddings/,
  ],
])('removes after the run %s, and not what the run uses', async (_, kind, limit, line) => {
  const consumer = await suite(ASKS)
  await consumer.vitest([], env)
  const metadata = join(consumer.cacheDir, 'cache_metadata.json')
  const old = (await readFile(metadata, 'utf8')).replace(/("lastAccessDate": ?)"[^"]*"/, '$1"2020-01-01T00:00:00.000Z"')
  await consumer.shell('rm -rf cache/runs')
  await consumer.write({
    '../cache/cache_metadata.json': old,
    'a.test.ts': `import { test } from 'vitest'; test('x', async ({ models }) => { await models.path('org/tiny') })`,
    'vitest.config.ts': configSource({ models: ['org/tiny'] }),
  })
  const { output, report } = await consumer.vitest([], { ...env, ...limit, MODEL_CACHE_DEBUG: '1' })
  expect(output).toMatch(line)
  expect(report).toMatchObject({ [kind]: [REPO], freedBytes: expect.any(Number) })
  const { models } = JSON.parse((await consumer.cli(['ls', '--json'])).stdout)
  expect(models).toMatchObject([{ repo: 'org/tiny' }])
})

test('counts each run of a watch session separately', async () => {
  const consumer = await suite(ASKS)
  const { watcher, finished } = consumer.watch(env)
  onTestFinished(() => void watcher.kill())
  expect(await finished()).toMatchObject({ requests: 1, hits: 0, misses: 1 })
  const rerun = finished()
  await consumer.write({ 'a.test.ts': `${ASKS}\n// changed` })
  expect(await rerun).toMatchObject({ requests: 1, hits: 1, misses: 0, warmUpMs: null })
})
