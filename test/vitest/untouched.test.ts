import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const REPO = 'org/embeddings'
const { hub, env } = await startModelsHub([REPO])
const POOLS = ['forks', 'threads', 'vmForks', 'vmThreads']

// The source does not name this package, like a suite before the package is installed. Only the Hub is our own.
const PIPELINE = `
  import { readFileSync, writeFileSync } from 'node:fs'
  import { expect, test } from 'vitest'
  import { env, pipeline } from '@huggingface/transformers'
  env.cacheDir = './own-cache'
  test('embeds', async ({ task }) => {
    const started = performance.now()
    const embed = await pipeline('feature-extraction', '${REPO}')
    writeFileSync(task.file.name + '.took', String(performance.now() - started))
    expect((await embed('A dog', { pooling: 'mean', normalize: true })).data[0]).toBeCloseTo(-0.2976082)
    if (process.platform === 'linux')
      expect(readFileSync('/proc/self/maps', 'utf8')).toContain('models--org--embeddings/blobs/')
  })
`

describe.each(POOLS)('an untouched pipeline() in %s', (pool) => {
  test('comes from the cache: one download, then none, and no second copy', async () => {
    // With the default, the warm-up would download what the tests name.
    const config = configSource({ warm: 'declared' }, `pool: '${pool}'`)
    const project = await Consumer.create({
      files: { 'vitest.config.ts': config, 'a.test.ts': PIPELINE, 'b.test.ts': PIPELINE },
    })
    const cold = await project.vitest([], env)
    expect(cold.exitCode, cold.output).toBe(0)
    expect(cold.report).toMatchObject({ requests: 2, misses: 1, errors: [] })
    const sent = hub.requests.filter(({ kind }) => kind === 'resolve').map(({ file }) => file)
    expect(sent.sort()).toEqual([...new Set(sent)].sort())
    // The files are loaded in parallel and wait for each other. No step may last longer than the whole.
    const took = await Promise.all(['a', 'b'].map((name) => readFile(join(project.directory, `${name}.test.ts.took`))))
    const { times } = cold.report ?? {}
    const [one = 0, other = 0] = took.map(Number)
    expect((times?.lookup?.total ?? 0) + (times?.download?.total ?? 0)).toBeLessThanOrEqual(one + other)
    expect(times?.load).toMatchObject({ count: 2 })
    expect(times?.load?.total).toBeLessThanOrEqual(one + other)
    hub.clearRequests()
    const warm = await project.vitest(['--maxWorkers=1'], env)
    expect(warm.exitCode, warm.output).toBe(0)
    expect(hub.requests).toEqual([])
    expect(warm.report).toMatchObject({ requests: 2, hits: 2, models: [{ repo: REPO, tiers: { disk: 2 }, loads: 2 }] })
    // The contexts of a vm pool can't share a loaded model, whatever the options are.
    const mean = (warm.report?.models[0]?.loadMsTotal ?? 0) / 2
    const sharing = { by: 'isolate-module', workers: 1, loads: 1, ms: expect.closeTo(mean) }
    expect(warm.report?.models[0]?.sharing).toEqual(pool.startsWith('vm') ? null : sharing)
    expect(await readdir(join(project.directory, 'own-cache')).catch(() => [])).toEqual([])
  })
})
