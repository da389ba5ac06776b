import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Consumer } from '../support/consumer.ts'
import { type Hub, startHub } from '../support/hub/index.ts'
import { makeEmbeddingModel } from '../support/model-maker/index.ts'

let directory: string
let hub: Hub
let modelBytes: number

const REPO = 'org/embeddings'
const CONFIG = `
  import { defineConfig } from 'vitest/config'
  import { modelCache } from 'vitest-model-cache'
  export default defineConfig({
    plugins: [modelCache({ models: [${JSON.stringify(REPO)}], report: { outputFile: 'report.json' } })],
    test: { pool: process.env.POOL, environment: process.env.ENVIRONMENT ?? 'node', maxWorkers: 4 },
  })
`
const TEST = `
  import { expect, test } from 'vitest'
  test('embeds', async ({ models }) => {
    const embed = await models.pipeline('feature-extraction', ${JSON.stringify(REPO)})
    const output = await embed('A dog', { pooling: 'mean', normalize: true })
    expect(output.data).toBeInstanceOf(Float32Array)
    expect(output.tolist()[0][0]).toBeCloseTo(-0.2976082)
  })
`

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'embeddings '))
  const model = await makeEmbeddingModel(join(directory, 'model'), { size: 1_000_000 })
  hub = await startHub()
  hub.addRepo(REPO, { directory: model.directory, pipelineTag: 'feature-extraction' })
  modelBytes = 0
})
afterAll(async () => {
  await hub.close()
  await rm(directory, { recursive: true, force: true })
})

describe.each(['forks', 'threads', 'vmForks', 'vmThreads'])('%s', (pool) => {
  test('downloads once, then needs no network', async () => {
    const consumer = await Consumer.create({ files: { 'vitest.config.ts': CONFIG, 'a.test.ts': TEST } })
    const env = { HF_ENDPOINT: hub.url, POOL: pool }
    hub.clearRequests()
    const cold = await consumer.vitest([], env)
    console.log(cold.stdout, cold.stderr, JSON.stringify(cold.report))
    expect(cold.exitCode).toBe(0)
    hub.clearRequests()
    const warm = await consumer.vitest([], env)
    console.log(warm.stdout, warm.stderr, JSON.stringify(warm.report))
    expect(hub.requests).toEqual([])
  })
})
