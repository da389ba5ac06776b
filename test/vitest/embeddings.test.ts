import { readdir, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { downloadFileToCacheDir, scanCacheDir } from '@huggingface/hub'
import { execa } from 'execa'
import { describe, expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { DOG, startModelsHub } from '../support/models-hub.ts'

const REPO = 'org/embeddings'
const { hub, repo, env } = await startModelsHub([REPO])
// The files that transformers.js opens. README, vocab.txt and special_tokens_map.json are not downloaded.
const LOADED = ['config.json', 'onnx/model.onnx', 'tokenizer.json', 'tokenizer_config.json']

const TEST = `
  import { expect, test } from 'vitest'
  test('embeds', async ({ models }) => {
    const embed = await models.pipeline('feature-extraction', '${REPO}')
    const output = await embed('A dog', { pooling: 'mean', normalize: true })
    expect(output.data).toBeInstanceOf(Float32Array)
    expect(output.tolist()[0][0]).toBeCloseTo(${DOG}, 6)
  })
`
const FOUR_FILES = { 'a.test.ts': TEST, 'b.test.ts': TEST, 'c.test.ts': TEST, 'd.test.ts': TEST }

async function suite(files: Record<string, string>, config = configSource({ models: [REPO] })) {
  return Consumer.create({ files: { 'vitest.config.ts': config, ...files } })
}

/** Bytes of the files that transformers.js opens. */
function loadedBytes(): number {
  const files = repo(REPO).filesAt(repo(REPO).commit)
  return LOADED.reduce((sum, path) => sum + (files.get(path)?.content.size ?? 0), 0)
}

function bytesOfFiles(): number {
  return hub.requests
    .filter(({ kind, status }) => (kind === 'resolve' || kind === 'cdn') && status === 200)
    .reduce((sum, { bytesSent }) => sum + bytesSent, 0)
}

describe.each(['forks', 'threads', 'vmForks', 'vmThreads'])('in the pool %s', (pool) => {
  test('downloads once for four workers, and then serves every run without the network', async () => {
    const consumer = await suite(FOUR_FILES, configSource({ models: [REPO] }, `pool: '${pool}'`))
    const cold = await consumer.vitest([], env)
    expect(cold).toMatchObject({ exitCode: 0, report: { requests: 4, misses: 1, hits: 3, hitRate: 0.75 } })
    expect(cold.report?.models).toMatchObject([{ repo: REPO, tiers: { hub: 1, disk: 3 }, bytes: loadedBytes() }])
    expect(bytesOfFiles()).toBe(loadedBytes())

    hub.clearRequests()
    const warm = await consumer.vitest([], env)
    expect(warm).toMatchObject({ exitCode: 0, report: { requests: 4, misses: 0, hits: 4, hitRate: 1 } })
    expect(warm.report?.savedBytes).toBe(loadedBytes())
    expect(warm.stdout).toMatch(/4 requests: 4 hits, 0 misses · hit rate 100%/)
    expect(hub.requests).toEqual([])
  })
})

test.each(['forks', 'vmThreads'])(
  'downloads once for four workers that ask on demand, where nothing was declared, in the pool %s',
  async (pool) => {
    const consumer = await suite(FOUR_FILES, configSource({}, `pool: '${pool}'`))
    expect(await consumer.vitest([], env)).toMatchObject({ exitCode: 0, report: { requests: 4, misses: 1 } })
    expect(bytesOfFiles()).toBe(loadedBytes())
  },
)

test('shares a loaded pipeline between the files of a worker that is not isolated, which spares the loads that the report says', async () => {
  const consumer = await suite(FOUR_FILES, configSource({ models: [REPO] }, 'isolate: false, maxWorkers: 1'))
  const isolated = await consumer.vitest(['--isolate'], env)
  expect(isolated.report?.models).toMatchObject([{ loads: 4, sharing: { by: 'isolate', workers: 1, loads: 3 } }])
  const { report } = await consumer.vitest([], env)
  expect(report?.models).toMatchObject([{ tiers: { disk: 1, memory: 3 }, loads: 1, sharing: null }])
})

test('stays warm after the cache folder was packed and unpacked by tar, as CI caches do', async () => {
  const consumer = await suite({ 'a.test.ts': TEST })
  await consumer.vitest([], env)
  const parent = join(consumer.cacheDir, '..')
  await execa('tar', ['cf', 'cache.tar', 'cache'], { cwd: parent })
  await rm(consumer.cacheDir, { recursive: true })
  await execa('tar', ['xf', 'cache.tar'], { cwd: parent })
  hub.clearRequests()
  expect(await consumer.vitest([], env)).toMatchObject({ exitCode: 0, report: { hits: 1, misses: 0 } })
  expect(hub.requests).toEqual([])
})

test('warms the models of the last run when nothing is declared', async () => {
  const consumer = await suite({ 'a.test.ts': TEST }, configSource())
  await consumer.vitest([], env)
  await rm(join(consumer.cacheDir, 'hub'), { recursive: true })
  await consumer.vitest(['--testNamePattern', 'none'], env)
  const snapshots = await readdir(join(consumer.cacheDir, 'hub', 'models--org--embeddings', 'snapshots'))
  expect(snapshots).toEqual([repo(REPO).commit])
})

test('keeps a standard Hugging Face cache that @huggingface/hub reads', async () => {
  const consumer = await suite({ 'a.test.ts': TEST })
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
})

test('uses the new commit of a branch when the stored answer is older than maxAge', async () => {
  const consumer = await suite({ 'a.test.ts': TEST }, configSource({ models: [REPO], maxAge: 0 }))
  await consumer.vitest([], env)
  hub.clearRequests()
  await consumer.vitest([], env)
  expect(hub.requests.map(({ kind }) => kind)).toContain('api')
})
