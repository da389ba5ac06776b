import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startHub } from '../support/hub/index.ts'
import { startModelsHub } from '../support/models-hub.ts'

const TOKEN = 'hf_a_secret_that_must_not_be_seen'
const { hub, env } = await startModelsHub(['org/embeddings'], { token: TOKEN })
hub.addRepo('org/private', { files: { 'config.json': '{}' }, private: true })
hub.addRepo('org/gated', { files: { 'config.json': '{}' }, gated: 'auto' })

hub.addRepo('org/broken', { files: { 'config.json': '{}' } })
hub.fault({ repo: 'org/broken', file: 'config.json' }, { flipByte: 0 })

const TESTS = `
  import { expect, test } from 'vitest'
  test('needs none', () => {})
  test('is served', async ({ models }) => { await models.path('org/embeddings') })
  test('asks for a model', async ({ models }) => { await models.path('org/nope') })
  test('asks for a spoilt one', async ({ models }) => { await models.path('org/broken') })
  test('expects that there is none', async ({ models }) => {
    await expect(models.path('org/absent')).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' })
  })
`

test('a model that can not be downloaded fails the test that asks for it; the report tells each failure once, and none that a test expects', async () => {
  const models = ['org/nope', 'org/broken', 'org/unasked']
  const files = { 'vitest.config.ts': configSource({ models }), 'a.test.ts': TESTS }
  const { exitCode, stdout, stderr, report } = await (await Consumer.create({ files })).vitest([], env)
  expect(exitCode).toBe(1)
  expect(stdout).toContain('2 failed | 3 passed')
  expect(stderr).toContain('The Hub at')
  // Each error points at the line of the test, and at no line of this package.
  expect(stderr.match(/❯ a\.test\.ts:\d+/g)).toHaveLength(2)
  expect(stderr).not.toContain('vitest-model-cache/dist')
  expect(report).toMatchObject({ requests: 3, hits: 0, misses: 1, failed: 2, expectedErrors: 1, hitRate: 0 })
  expect(report).toMatchObject({ errorCounts: { MODEL_NOT_FOUND: 1, DIGEST_MISMATCH: 1 } })
  expect(report?.errors).toMatchObject([
    { model: 'org/nope', code: 'MODEL_NOT_FOUND', requests: 1, testFiles: ['a.test.ts'] },
    { model: 'org/broken', code: 'DIGEST_MISMATCH', requests: 1, testFiles: ['a.test.ts'] },
    { model: 'org/unasked', code: 'MODEL_NOT_FOUND', requests: 0, testFiles: [] },
  ])
  expect(stdout + stderr).not.toContain('[model-cache]')
  const own = stdout.slice(stdout.indexOf('Model cache')).replace(/\s+/g, ' ')
  expect(own).toContain('3 requests: 0 hits, 1 miss, 2 failed · hit rate 0% (first run)')
  expect(own).toContain('1 failed request was expected by its test')
  expect(own).toContain('✗ 1 request for org/nope failed in a.test.ts [MODEL_NOT_FOUND]')
  expect(own).toContain('✗ 1 request for org/broken failed in a.test.ts [DIGEST_MISMATCH]')
  expect(own.match(/has no such repo/g)).toHaveLength(1)
})

test('when the Hub is down, the report tells each failed model once, however many files were asked for', async () => {
  const gone = await startHub()
  await gone.close()
  const source = `
    import { AutoTokenizer } from '@huggingface/transformers'
    import { test } from 'vitest'
    test('declared', async ({ models }) => { await models.path('org/nope') })
    test('untouched', async () => { await AutoTokenizer.from_pretrained('org/nope') })
    test('not declared', async () => {
      const ask = (path) => fetch('https://huggingface.co/org/other/resolve/main/' + path)
      const [first] = await Promise.allSettled(['a.json', 'b.json', 'c.json'].map(ask))
      throw first.reason
    })
  `
  const files = { 'vitest.config.ts': configSource({ models: ['org/nope'] }), 'a.test.ts': source }
  const project = await Consumer.create({ files })
  const more = { HF_ENDPOINT: gone.url, GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: `${project.directory}/summary.md` }
  const { exitCode, stdout, stderr, report } = await project.vitest([], { ...env, ...more })
  expect(exitCode).toBe(1)
  expect(report).toMatchObject({ requests: 3, hits: 0, misses: 0, failed: 3, errorCounts: { HUB_UNREACHABLE: 3 } })
  expect(stderr.match(/^ModelCacheError: /gm)).toHaveLength(3)
  const own = stdout.slice(stdout.indexOf('Model cache')).trimEnd().split('\n')
  expect(own.slice(1).map((line) => line.trim().replace(/ [\d.]+ m?s| ·.*$/g, ''))).toEqual([
    '3 requests: 0 hits, 0 misses, 3 failed',
    'warm-up',
    'cache 0 B of 2 GiB in 0 models',
    '✗ 2 requests for org/nope failed in a.test.ts [HUB_UNREACHABLE]',
    '✗ 1 request for org/other failed in a.test.ts [HUB_UNREACHABLE]',
  ])
  const summary = await readFile(`${project.directory}/summary.md`, 'utf8')
  expect(summary.match(/could not be reached/g)).toHaveLength(2)
})

test('adds no failure to a suite that asks for no model', async () => {
  const files = {
    'vitest.config.ts': configSource({ models: ['org/nope'] }),
    'a.test.ts': `import { test } from 'vitest'; test('x', () => {})`,
  }
  const { exitCode, stdout, output } = await (await Consumer.create({ files })).vitest([], env)
  expect(exitCode, output).toBe(0)
  expect(output.match(/has no such repo/g)).toHaveLength(1)
  expect(stdout.replace(/\s+/g, ' ')).toMatch(
    /✗ Model org\/nope: .*has no such repo.*\(warm-up; no test asked for it\)/,
  )
})

test('explains what is wrong with a model', async () => {
  const wrong = [
    ['org/embeddings@nope', 'REVISION_NOT_FOUND'],
    ['org/gated', 'GATED'],
    ['org/private', 'MODEL_NOT_FOUND'],
    ['a/b/c', 'INVALID_MODEL'],
  ]
  const source = `
    import { expect, test } from 'vitest'
    test.for(${JSON.stringify(wrong)})('%s', async ([model, code], { models }) => {
      await expect(models.path(model)).rejects.toMatchObject({ name: 'ModelCacheError', code, asked: expect.any(String), reason: expect.any(String), nextStep: expect.any(String) })
    })
  `
  const consumer = await Consumer.create({ files: { 'vitest.config.ts': configSource(), 'a.test.ts': source } })
  const { exitCode, output, report } = await consumer.vitest([], env)
  expect(exitCode, output).toBe(0)
  // The tests expected the failures, so the report does not tell them.
  expect(output).not.toContain('Model cache')
  expect(report).toMatchObject({ requests: 0, failed: 0, errors: [] })
})

test('when offline, a miss is an error that names the model and the command that warms it', async () => {
  const consumer = await Consumer.create({
    files: {
      'vitest.config.ts': configSource({ models: ['org/embeddings'] }),
      'a.test.ts': `import { test } from 'vitest'; test('x', async ({ models }) => { await models.path('org/embeddings') })`,
    },
  })
  const offline = { ...env, MODEL_CACHE_OFFLINE: '1' }
  const missed = await consumer.vitest([], offline)
  expect(missed.exitCode).toBe(1)
  expect(missed.stdout + missed.stderr).toContain('npx vitest-model-cache warm org/embeddings')
  expect(hub.requests).toEqual([])
  expect(await consumer.cli(['warm', 'org/embeddings'], env)).toMatchObject({ exitCode: 0 })
  hub.clearRequests()
  expect(await consumer.vitest([], { ...env, HF_HUB_OFFLINE: '1' })).toMatchObject({ exitCode: 0 })
  expect(hub.requests).toEqual([])
})

test('the token opens private models in the warm-up, and is written nowhere', async () => {
  const source = `
    import { test } from 'vitest'
    test('x', async ({ models }) => { await models.path('org/private') })
  `
  const options = { models: ['org/private', 'org/gated'], hub: { endpoint: hub.url, token: TOKEN } }
  const consumer = await Consumer.create({ files: { 'vitest.config.ts': configSource(options), 'a.test.ts': source } })
  const { exitCode, output, report } = await consumer.vitest([], { MODEL_CACHE_DEBUG: '1' })
  expect(exitCode, output).toBe(0)
  expect(hub.requests.every(({ authorization, origin }) => authorization === (origin === 'hub'))).toBe(true)
  expect(output + JSON.stringify(report)).not.toContain(TOKEN)
  const { stdout: found } = await consumer.shell(`grep -rl ${TOKEN} . --include=* --exclude=vitest.config.ts || true`)
  expect(found).toBe('')
})

test('refuses an unknown option, and names the one that was probably meant', async () => {
  const files = {
    'vitest.config.ts': configSource().replace('"report"', '"maxsize":1,"report"'),
    'a.test.ts': TESTS,
  }
  const { exitCode, stderr } = await (await Consumer.create({ files })).vitest([], env)
  expect(exitCode).toBe(1)
  expect(stderr).toContain('Option `maxsize` of modelCache(): There is no such option. Did you mean `maxSize`?')
})

test('refuses a model that is larger than the cache, also when a worker asks for it', async () => {
  const source = `
    import { expect, test } from 'vitest'
    test('x', async ({ models }) => {
      await expect(models.path('org/embeddings')).rejects.toMatchObject({ code: 'TOO_LARGE' })
    })
  `
  const options = { maxSize: '1KB', onTooLarge: 'error' } as const
  const consumer = await Consumer.create({ files: { 'vitest.config.ts': configSource(options), 'a.test.ts': source } })
  const { exitCode, output } = await consumer.vitest([], env)
  expect(exitCode, output).toBe(0)
})

test('a damaged run record and leases that can not be written cause a note and no failure', async () => {
  const source = `import { test } from 'vitest'; test('x', async ({ models }) => { await models.path('org/embeddings') })`
  const config = configSource({ models: ['org/embeddings'] })
  const consumer = await Consumer.create({ files: { 'vitest.config.ts': config, 'a.test.ts': source } })
  await consumer.vitest([], env)
  await consumer.shell(`sed -i 's/"selection": .*,/"selection": "null",/' cache/runs/*.json`)
  await consumer.shell('rm -rf cache/leases && touch cache/leases')
  hub.clearRequests()
  const { exitCode, output, report } = await consumer.vitest([], env)
  expect(exitCode, output).toBe(0)
  expect(output).not.toContain('Warm-up failed')
  expect(output).toContain('could not be claimed')
  expect(report).toMatchObject({ requests: 1, hits: 1 })
  expect(hub.requests).toEqual([])
})
