import { readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { downloadFileToCacheDir, scanCacheDir } from '@huggingface/hub'
import { execa } from 'execa'
import { beforeAll, describe, expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import type { LoggedRequest } from '../support/hub/index.ts'
import { DOG, startModelsHub } from '../support/models-hub.ts'
import type { RunResult } from '../support/project-folder.ts'
import { removeFolder } from '../support/remove-folder.ts'
import { type ColdAndWarm, runColdAndWarm } from '../support/run-cold-and-warm.ts'
import { type SuiteSource, suitesInOneRun } from '../support/suites-in-one-run.ts'

const REPO = 'org/embeddings'
const { hub, repo, copyOf, env } = await startModelsHub([REPO])
// The files that transformers.js opens. README, vocab.txt and special_tokens_map.json are not downloaded.
const LOADED = ['config.json', 'onnx/model.onnx', 'tokenizer.json', 'tokenizer_config.json']

const embeds = (name = REPO) => `
  import { expect, test } from 'vitest'
  test('embeds', async ({ models }) => {
    const embed = await models.pipeline('feature-extraction', '${name}')
    const output = await embed('A dog', { pooling: 'mean', normalize: true })
    expect(output.data).toBeInstanceOf(Float32Array)
    expect(output.tolist()[0][0]).toBeCloseTo(${DOG}, 6)
  })
`
const asks = (name: string) => `
  import { test } from 'vitest'
  test('asks', async ({ models }) => { await models.path('${name}') })
`
const TEST = embeds()
/** Loading the model takes as long as all the rest of a run. */
const ASKS = asks(REPO)

async function suite(files: Record<string, string>, config = configSource({ models: [REPO] })) {
  return Consumer.create({ files: { 'vitest.config.ts': config, ...files } })
}

/** Bytes of the files that transformers.js opens. */
function loadedBytes(): number {
  const files = repo(REPO).filesAt(repo(REPO).commit)
  return LOADED.reduce((sum, path) => sum + (files.get(path)?.content.size ?? 0), 0)
}

/** Bytes of the files of a model that were sent. */
function bytesOf(requests: LoggedRequest[], name: string): number {
  return requests
    .filter(({ repo, kind, status }) => repo === name && (kind === 'resolve' || kind === 'cdn') && status === 200)
    .reduce((sum, { bytesSent }) => sum + bytesSent, 0)
}

describe('downloads once for four workers', () => {
  // The suites of a pool have a model of their own. One of its files loads the model, and all ask for it.
  const cases = [
    ...['forks', 'threads', 'vmForks', 'vmThreads'].map((pool) => ({ pool, kind: 'declared' })),
    ...['forks', 'vmThreads'].map((pool) => ({ pool, kind: 'on-demand' })),
  ].map((one) => ({ ...one, name: `org/${one.kind}-${one.pool}` }))
  const declared = cases.flatMap(({ kind, name }) => (kind === 'declared' ? [name] : []))
  let runs: ColdAndWarm

  beforeAll(async () => {
    for (const { name } of cases) copyOf(REPO, name)
    const suites = cases.flatMap(({ pool, kind, name }) =>
      [embeds, asks, asks, asks].map((sourceOf, index): [string, SuiteSource] => [
        `${kind}-${pool}-${index}`,
        { source: sourceOf(name), options: `pool: '${pool}'` },
      ]),
    )
    const files = suitesInOneRun(Object.fromEntries(suites), { models: declared })
    const consumer = await Consumer.createForTests({ files })
    runs = await runColdAndWarm(consumer, hub, env)
    return () => consumer.remove()
  })

  test.each(cases)('$kind in the pool $pool, and then serves every run without the network', ({ name, kind }) => {
    const { cold, warm, asked } = runs
    const of = ({ report }: RunResult) => report?.models.find((model) => model.repo === name)
    expect(of(cold), cold.output).toMatchObject({ requests: 4, tiers: { hub: 1, disk: 3 }, bytes: loadedBytes() })
    if (kind === 'declared') expect(of(cold)?.downloadedBytes).toBe(loadedBytes())
    expect(bytesOf(asked.cold, name)).toBe(loadedBytes())
    expect(of(warm), warm.output).toMatchObject({ requests: 4, tiers: { disk: 4 }, downloadedBytes: 0 })
  })

  test('the report tells the hits of all, and what they saved', () => {
    const { cold, warm, asked } = runs
    const { length } = cases
    const all = { requests: 4 * length, errors: [] }
    expect(cold).toMatchObject({ exitCode: 0, report: { ...all, misses: length, hits: 3 * length, hitRate: 0.75 } })
    expect(warm).toMatchObject({ exitCode: 0, report: { ...all, misses: 0, hits: 4 * length, hitRate: 1 } })
    expect(warm.report?.savedBytes).toBe(length * loadedBytes())
    expect(warm.stdout).toMatch(/24 requests: 24 hits, 0 misses · hit rate 100%/)
    expect(asked.warm).toEqual([])
  })
})

test('shares a loaded pipeline between the files of a worker that is not isolated, which spares the loads that the report says', async () => {
  const consumer = await suite(
    { 'a.test.ts': TEST, 'b.test.ts': TEST, 'c.test.ts': TEST, 'd.test.ts': TEST },
    configSource({ models: [REPO] }, 'isolate: false, maxWorkers: 1'),
  )
  const isolated = await consumer.vitest(['--isolate'], env)
  expect(isolated.report?.models).toMatchObject([{ loads: 4, sharing: { by: 'isolate', workers: 1, loads: 3 } }])
  const { report } = await consumer.vitest([], env)
  expect(report?.models).toMatchObject([{ tiers: { disk: 1, memory: 3 }, loads: 1, sharing: null }])
})

test('warms the models of the last run when nothing is declared', async () => {
  const consumer = await suite({ 'a.test.ts': ASKS }, configSource())
  await consumer.vitest([], env)
  await removeFolder(join(consumer.cacheDir, 'hub'))
  await consumer.vitest(['--testNamePattern', 'none'], env)
  const snapshots = await readdir(join(consumer.cacheDir, 'hub', 'models--org--embeddings', 'snapshots'))
  expect(snapshots).toEqual([repo(REPO).commit])
})

test('keeps a standard Hugging Face cache that @huggingface/hub reads, and stays warm after it was packed by tar, as CI caches do', async () => {
  const consumer = await suite({ 'a.test.ts': ASKS })
  await consumer.vitest([], env)
  const cacheDir = join(consumer.cacheDir, 'hub')
  const scanned = await scanCacheDir(cacheDir)
  expect(scanned.warnings).toEqual([])
  expect(scanned.repos).toMatchObject([{ id: { name: REPO, type: 'model' } }])
  expect(scanned.repos[0]?.revisions).toMatchObject([{ commitOid: repo(REPO).commit, refs: ['main'] }])
  hub.clearRequests()
  for (const path of LOADED) {
    const file = await downloadFileToCacheDir({
      repo: REPO,
      path,
      revision: repo(REPO).commit,
      cacheDir,
      hubUrl: hub.url,
    })
    expect(await realpath(file)).toContain(join(await realpath(cacheDir), 'models--org--embeddings', 'blobs'))
  }
  expect(hub.requests).toEqual([])

  const parent = join(consumer.cacheDir, '..')
  await execa('tar', ['cf', 'cache.tar', 'cache'], { cwd: parent })
  await removeFolder(consumer.cacheDir)
  await execa('tar', ['xf', 'cache.tar'], { cwd: parent })
  expect(await consumer.vitest([], env)).toMatchObject({ exitCode: 0, report: { hits: 1, misses: 0 } })
  expect(hub.requests).toEqual([])
})

test('uses the new commit of a branch when the stored answer is older than maxAge', async () => {
  const consumer = await suite({ 'a.test.ts': ASKS }, configSource({ models: [REPO], maxAge: 0 }))
  await consumer.vitest([], env)
  hub.clearRequests()
  await consumer.vitest([], env)
  expect(hub.requests.map(({ kind }) => kind)).toContain('api')
})
