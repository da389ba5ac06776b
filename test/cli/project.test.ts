import { once } from 'node:events'
import { chmod, mkdir, readdir } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const { hub, env } = await startModelsHub(['org/embeddings'], { token: 'hf_secret' })
const CONFIG = configSource({ models: [{ repo: 'org/embeddings', files: ['config.json'] }] })
const ASKS = `
  import { expect, test } from 'vitest'
  test('asks', async ({ models }) => { await models.file('org/embeddings', 'config.json') })
  test('is asked to fail', () => expect(process.env.FAIL).toBeUndefined())
`

test('`run` runs Vitest and has its exit code; --clean-cache removes the models of the project first', async () => {
  const consumer = await Consumer.create({ files: { 'vitest.config.ts': CONFIG, 'a.test.ts': ASKS } })
  hub.addRepo('org/other', { files: { 'config.json': '{}' } })
  await consumer.cli(['warm', 'org/other', '--config'], env)
  hub.clearRequests()
  const cleaned = await consumer.cli(['run', '--clean-cache', '--cache-info', '--', '-t', 'asks'], env)
  expect(cleaned.exitCode, cleaned.stderr).toBe(0)
  expect(cleaned.stdout).toMatch(/Removed 1 model of this project.*Before.*models +1 .*1 passed.*After.*models +2 /s)
  expect(hub.requests.filter(({ kind }) => kind === 'resolve').map(({ file }) => file)).toEqual(['config.json'])
  await consumer.cli(['pin', 'org/embeddings'], env)
  const failed = await consumer.cli(['run', '--clean-cache', '--json'], { ...env, FAIL: '1', MODEL_CACHE_MAXSIZE: '1' })
  expect(failed.exitCode).toBe(1)
  expect(failed.stderr.match(/MODEL_CACHE_MAXSIZE/g)).toHaveLength(1)
  expect(failed.stderr).toContain('[model-cache] This variable is unknown')
  const result = JSON.parse(failed.stdout)
  expect(result).toMatchObject({
    exitCode: 1,
    cleaned: { models: 0, kept: 1 },
    before: { models: 2 },
    after: { models: 2 },
  })
})

test('`run` passes signals to Vitest and waits for its end', async () => {
  const waits = `
    import { writeFileSync } from 'node:fs'
    import { test } from 'vitest'
    test('waits', () => { writeFileSync('began', ''); return new Promise(() => undefined) }, 60_000)
  `
  const consumer = await Consumer.create({ files: { 'vitest.config.ts': configSource(), 'a.test.ts': waits } })
  const child = consumer.start('cli', ['run'], env)
  const ended = once(child, 'exit')
  while (!(await readdir(consumer.directory)).includes('began') && child.exitCode === null) await wait(20)
  child.kill('SIGTERM')
  const [code] = await ended
  expect([130, 143, 1]).toContain(code)
  expect(await readdir(`${consumer.cacheDir}/leases`).catch(() => [])).toEqual([])
})

test('`doctor` prints a line for each check', async () => {
  const consumer = await Consumer.create({ files: { 'vitest.config.ts': CONFIG } })
  const well = await consumer.cli(['doctor'], {
    ...env,
    HF_TOKEN: 'hf_secret',
    HTTPS_PROXY: 'http://user:pass@proxy:81',
    NO_PROXY: '*',
  })
  expect(well.exitCode, well.output).toBe(0)
  expect(well.stdout).toMatch(/✓ config +vitest.config.ts has modelCache\(\), 1 model declared/)
  expect(well.stdout).toMatch(
    /✓ transformers +4\.\d.*without a copy.*✓ token +of user member at http.*✓ hub +http.*answers in/s,
  )
  expect(well.stdout).not.toMatch(/hf_secret|pass/)
  // The cache folder does not exist yet.
  expect(well.stdout).toMatch(
    /✓ cache +.*cache \(by MODEL_CACHE_DIR\): a new folder, which the first download creates\n/,
  )
  expect(well.stdout).toMatch(
    /✓ permissions +the new folder will be yours.*✓ links +not tried in a new folder\n.* disk +\d.* free; the cache uses 0 B of 2 GiB.*✓ loading +mapped, threads shared\n/s,
  )
  await mkdir(consumer.cacheDir)
  await chmod(consumer.cacheDir, 0o777)
  const shared = await consumer.cli(['doctor'], { ...env, MODEL_CACHE_THREADS: 'as-is' })
  expect(shared.stdout).toMatch(/✓ loading +plain in a folder that others can write to, threads as-is\n/)
  await consumer.write({ 'vitest.config.ts': CONFIG.replace('"models"', '"modles"'), '../cache/notes.txt': 'mine' })
  const [refused, status] = await Promise.all([
    consumer.vitest([], env),
    consumer.cli(['status'], { ...env, MODEL_CACHE_DIR: undefined, MODEL_CACHE_AGE: '1d' }),
  ])
  for (const { stderr } of [refused, status]) {
    expect(stderr).toContain('Option `modles` of modelCache(): There is no such option. Did you mean `models`?')
    expect(stderr).not.toMatch(/^ +at |asked:|\[cause\]/m)
  }
  expect([refused.exitCode, status.exitCode]).toEqual([1, 2])
  expect(status.stderr).toContain('MODEL_CACHE_AGE (did you mean MODEL_CACHE_MAX_AGE?)')
  const ill = await consumer.cli(['doctor', '--json'], { ...env, HF_ENDPOINT: 'http://127.0.0.1:9' })
  const { ok, checks } = JSON.parse(ill.stdout)
  const failed = checks
    .filter(({ level }: { level: string }) => level === 'fail')
    .map(({ name }: { name: string }) => name)
  expect([ill.exitCode, ok, failed]).toEqual([1, false, ['config', 'cache', 'hub']])
})
