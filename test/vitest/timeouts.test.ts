import { randomBytes } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const MEGABYTE = 1 << 20
const { hub, env } = await startModelsHub([])
hub.addRepo('org/large', { files: { 'weights.bin': randomBytes(8 * MEGABYTE) } })
hub.addRepo('org/spoilt', { files: { 'config.json': '{}', 'weights.bin': randomBytes(8 * MEGABYTE) } })
hub.fault({ repo: 'org/spoilt', file: 'config.json' }, { flipByte: 0 })

const DECLARE = /of 8 MiB had arrived\. Download it before the tests: modelCache\(\{ models: \['org\/large'\] \}\)/
const FAILED =
  /of 8 MiB had arrived\. The warm-up had failed: File config\.json of org\/spoilt: .*\[DIGEST_MISMATCH\]$/m

test.each([
  ['a test', 'org/spoilt', `test('x', async () => { await (await fetch(url)).arrayBuffer() }, 4000)`, FAILED],
  [
    'a test with models',
    'org/large',
    `test('x', async ({ models }) => { await models.path('org/large') }, 4000)`,
    DECLARE,
  ],
  [
    'a hook',
    'org/large',
    `beforeAll(async () => { await (await fetch(url)).arrayBuffer() }, 4000)\ntest('x', () => {})`,
    DECLARE,
  ],
])('%s that waits for a download too long says for which, and what is known', async (_, repo, body, advice) => {
  // The first bytes arrive in time, also on a busy machine. The last ones never arrive.
  hub.throttle({ total: MEGABYTE })
  onTestFinished(() => hub.throttle({}))
  const source = `
    import { beforeAll, test } from 'vitest'
    const url = 'https://huggingface.co/${repo}/resolve/main/weights.bin'
    ${body}
  `
  // What a test file names would be downloaded before it.
  const options = { warm: 'declared' as const, models: repo === 'org/spoilt' ? [repo] : [] }
  const files = { 'vitest.config.ts': configSource(options), 'a.test.ts': source }
  const { exitCode, output, report } = await (await Consumer.create({ files })).vitest([], env)
  expect(exitCode).toBe(1)
  expect(output).toMatch(/timed out in 4000ms/)
  expect(output).toContain(`waiting for the download of ${repo}: `)
  expect(output).toMatch(advice)
  expect(report).toMatchObject({ failed: 1, hitRate: 0, errors: [{ code: 'UNFINISHED', testFiles: ['a.test.ts'] }] })
  expect(output).toContain(`✗ 1 request for ${repo} failed in a.test.ts [UNFINISHED]`)
})
