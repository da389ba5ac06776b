import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { DOG, startModelsHub } from '../support/models-hub.ts'

const { env, hub } = await startModelsHub(['org/embeddings', 'org/external-data'])

const testOf = (repo: string) => `
  import { expect, test } from 'vitest'
  test('x', async ({ models }) => {
    const embed = await models.pipeline('feature-extraction', '${repo}')
    const { data } = await embed('A dog', { pooling: 'mean', normalize: true })
    expect(data[0]).toBeCloseTo(${repo === 'org/embeddings' ? DOG : 'data[0]'}, 5)
  })`

/** The chunks with code of the remote that were loaded by the processes that wrote their coverage into a folder. */
async function remoteChunksIn(folder: string): Promise<string[]> {
  const texts = (await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8'))
  const paths = (await Promise.all(texts)).join('').matchAll(/vitest-model-cache\/dist\/chunks\/([\w-]+\.js)/g)
  const chunks = [...paths].map(([, chunk = '']) => chunk)
  expect(chunks).not.toEqual([])
  return chunks.filter((chunk) => /^(remote|open-store|store|upload)\d*\./.test(chunk))
}

test('one machine fills a folder after its run; an empty machine gets all from it while the Hub is off', async () => {
  const consumer = await Consumer.create({
    files: {
      'vitest.config.ts': configSource({ models: ['org/embeddings'] }),
      'declared.test.ts': testOf('org/embeddings'),
      'on-demand.test.ts': testOf('org/external-data'),
    },
  })
  const shared = join(consumer.directory, 'shared')
  await mkdir(shared)
  const remote = { ...env, MODEL_CACHE_REMOTE: pathToFileURL(shared).href }
  const first = await consumer.vitest([], remote)
  expect(first.report, first.output).toMatchObject({ misses: 2, restoredBytes: 0 })
  expect((await consumer.cli(['lock'], env)).exitCode).toBe(0)
  const bytes = first.report?.downloadedBytes

  // A warm run loads no code of the remote.
  const loaded = join(consumer.directory, 'loaded')
  const warm = await consumer.vitest(['declared'], { ...remote, NODE_V8_COVERAGE: loaded })
  expect(warm.report, warm.output).toMatchObject({ hits: 1, misses: 0 })
  expect(await remoteChunksIn(loaded)).toEqual([])

  const machine = (name: string) => ({
    MODEL_CACHE_DIR: join(consumer.directory, name),
    HF_HUB_CACHE: join(consumer.directory, 'none'),
  })
  // A share that is not mounted: the main process notices, and workers are not told of a remote.
  const gone = { ...env, MODEL_CACHE_REMOTE: pathToFileURL(join(shared, 'gone/share')).href, ...machine('third') }
  const third = await consumer.vitest([], gone)
  expect(third.report, third.output).toMatchObject({ misses: 2, failed: 0 })
  expect(third.output.match(/is not used any more in this run/g)).toHaveLength(1)

  // An empty cache has no record of the run, so the second model is asked for in a worker.
  await hub.stopListening()
  hub.clearRequests()
  const restoring = join(consumer.directory, 'restoring')
  const second = await consumer.vitest([], { ...remote, ...machine('second'), NODE_V8_COVERAGE: restoring })
  expect(second.exitCode, second.output).toBe(0)
  expect(second.report).toMatchObject({
    ...{ requests: 2, hits: 2, misses: 0, tiers: { remote: 2 }, downloadedBytes: 0, restoredBytes: bytes },
    savedBytes: bytes,
  })
  expect(second.stdout).toMatch(/org\/embeddings +remote ×1 .*restore /)
  expect(second.stdout).toMatch(/org\/external-data +remote ×1 .*restore /)
  expect(second.stdout).toMatch(/took .* from the remote/)
  expect(hub.requests).toEqual([])
  expect(await remoteChunksIn(restoring)).not.toEqual([])
  const stats = await consumer.cli(['stats'], { ...remote, ...machine('second') })
  expect(stats.stdout).toMatch(/remote ×2(.|\n)*took .* from the remote/)
})
