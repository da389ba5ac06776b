import { execFileSync } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Cli } from '../support/cli.ts'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { Engine } from '../support/engine.ts'
import { DOG, startModelsHub } from '../support/models-hub.ts'

const { hub, repo, env } = await startModelsHub(['org/embeddings'], { token: 'hf_secret' })
const plain = hub.addRepo('org/plain', { files: { 'config.json': '{"version":1}', 'data.bin': 'd' } })
hub.addRepo('org/private', { files: { 'config.json': '{}' }, private: true })

const CONFIG = configSource({ models: [{ repo: 'org/embeddings', task: 'feature-extraction', dtype: 'q8' }] })
const UNTOUCHED = `
  import { pipeline } from '@huggingface/transformers'
  import { expect, test } from 'vitest'
  test('embeds', async () => {
    const embed = await pipeline('feature-extraction', 'org/embeddings', { dtype: 'q8' })
    const { data } = await embed('A dog', { pooling: 'mean', normalize: true })
    expect(data[0]).toBeCloseTo(${DOG}, 1)
  })
`
const ASKS = `
  import { readFile } from 'node:fs/promises'
  import { listFiles, modelInfo } from '@huggingface/hub'
  import { expect, test } from 'vitest'
  const hubUrl = process.env.HF_ENDPOINT
  test('asks', async ({ models }) => {
    expect(await readFile(await models.file('org/plain', 'config.json'), 'utf8')).toBe('{"version":1}')
  })
  test('untouched code sees the same commit', async () => {
    const { version } = await (await fetch(hubUrl + '/org/plain/resolve/main/config.json')).json()
    expect(version).toBe(1)
    const { sha } = await modelInfo({ name: 'org/plain', additionalFields: ['sha'], hubUrl })
    expect(sha).toBe('${plain.commit}')
    const paths = []
    for await (const { path } of listFiles({ repo: 'org/plain', hubUrl })) paths.push(path)
    expect(paths.sort()).toEqual(['config.json', 'data.bin'])
  })
`
const FILES = { 'vitest.config.ts': CONFIG, 'a.test.ts': UNTOUCHED, 'b.test.ts': ASKS }

test('`lock` pins what the config declares and the runs used; then a moved branch changes no run, and CI is frozen', async () => {
  const consumer = await Consumer.create({ files: FILES })
  const lockfile = join(consumer.directory, 'models.lock.json')
  const none = await consumer.cli(['lock', '--check'], env)
  expect(none).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('models.lock.json does not exist') })
  const first = await consumer.vitest([], env)
  expect(first.exitCode, first.output).toBe(0)

  // The statements of the Hub are in the cache, so it is not asked again.
  hub.clearRequests()
  const dry = await consumer.cli(['lock', '--dry-run', '--json'], env)
  expect(JSON.parse(dry.stdout)).toMatchObject({
    dryRun: true,
    written: false,
    models: [{ action: 'added' }, { action: 'added' }],
  })
  await expect(stat(lockfile)).rejects.toThrow('ENOENT')
  const locked = await consumer.cli(['lock'], env)
  expect(locked, locked.output).toMatchObject({ exitCode: 0, stderr: '' })
  expect(locked.stdout.split('\n')).toEqual([
    `+ org/embeddings  ${repo('org/embeddings').commit.slice(0, 7)}, 8 files`,
    `+ org/plain  ${plain.commit.slice(0, 7)}, 2 files`,
    'models.lock.json has 2 models now. Commit it.',
  ])
  expect(hub.requests).toEqual([])
  expect((await stat(lockfile)).mode & 0o777).toBe(0o666 & ~process.umask())
  const { models } = JSON.parse(await readFile(lockfile, 'utf8'))
  expect(models).toMatchObject([
    { repo: 'org/embeddings', revision: 'main', endpoint: hub.url, access: 'public', task: 'feature-extraction' },
    { repo: 'org/plain', commit: plain.commit, files: { 'config.json': expect.stringMatching(/^sha1:\w{40} 13$/) } },
  ])
  const [again, check, key] = await Promise.all([
    consumer.cli(['lock'], env),
    consumer.cli(['lock', '--check'], env),
    consumer.cli(['key', '--json'], env),
  ])
  expect(again.stdout).toBe('models.lock.json has 2 models: nothing to change.')
  expect(check).toMatchObject({
    exitCode: 0,
    stdout: '✓ models.lock.json has all 2 models of the config and the last runs.',
  })
  expect(JSON.parse(key.stdout)).toMatchObject({ of: 'lock file', models: 2 })

  // The branches move. An empty machine in CI gets what was locked, and asks the API nothing.
  const old = plain.commit
  plain.addCommit({ files: { 'config.json': '{"version":2}' } })
  repo('org/embeddings').addCommit({ files: { 'config.json': '{}' } })
  hub.clearRequests()
  const empty = { ...env, CI: '1', MODEL_CACHE_DIR: `${consumer.cacheDir} 2` }
  const cold = await consumer.vitest([], empty)
  expect(cold.exitCode, cold.output).toBe(0)
  const asked = hub.requests.filter(({ kind }) => kind === 'api').map(({ path }) => path)
  // @huggingface/hub itself asks for these two. The plugin asks for nothing.
  expect(asked.sort()).toEqual([`/api/models/org/plain/revision/${old}`, `/api/models/org/plain/tree/${old}`])
  expect(cold.report?.models.map(({ repo, commit }) => [repo, commit])).toContainEqual(['org/plain', old])
  hub.clearRequests()
  const warm = await consumer.vitest([], empty)
  expect(warm, warm.output).toMatchObject({ exitCode: 0, report: { misses: 0 } })
  expect(hub.requests).toEqual([])

  // What is not locked is refused in CI, and only there.
  await consumer.write({ 'b.test.ts': ASKS.replaceAll('org/plain', 'org/unlocked') })
  hub.addRepo('org/unlocked', { files: { 'config.json': '{"version":1}' } })
  const only = ['b.test.ts', '-t', 'asks']
  const [frozen, free] = [await consumer.vitest(only, empty), await consumer.vitest(only, env)]
  expect(frozen.output).toMatch(
    /Model org\/unlocked \(config\.json\): models\.lock\.json does not have it\. The cache is frozen/,
  )
  expect(frozen).toMatchObject({
    exitCode: 1,
    report: { errors: [{ code: 'NOT_LOCKED', model: 'org/unlocked (config.json)' }] },
  })
  expect(free.exitCode, free.output).toBe(0)
  const lacking = await consumer.cli(['lock', '--check', '--json'], env)
  expect(JSON.parse(lacking.stdout)).toMatchObject({ ok: false, missing: [{ repo: 'org/unlocked', revision: 'main' }] })
  expect(hub.requests.filter(({ kind, path }) => kind === 'api' && !path.includes('unlocked'))).toEqual([])

  // The diff of an update: the commit, the checksum and the line of each file that changed.
  const before = await readFile(lockfile, 'utf8')
  const update = await consumer.cli(['lock', '--update', 'org/plain'], env)
  expect(update.stdout).toBe(
    `~ org/plain  ${old.slice(0, 7)} → ${plain.commit.slice(0, 7)}, 1 file changed\nmodels.lock.json has 2 models now. Commit it.`,
  )
  const after = (await readFile(lockfile, 'utf8')).split('\n')
  const changed = after.filter((line, index) => line !== before.split('\n')[index])
  expect(changed.map((line) => line.trim().split('"')[1])).toEqual(['commit', 'checksum', 'config.json'])
  const newKey = await consumer.cli(['key'], env)
  expect(newKey.stdout).not.toBe(JSON.parse(key.stdout).key)
})

test('`lock` names, prunes, keeps the models of other endpoints, and tells of private ones; other commands show the file', async () => {
  const engine = await Engine.start(onTestFinished)
  const lockfile = join(engine.folder, 'models.lock.json')
  for (const name of ['org/a', 'org/b']) engine.hub.addRepo(name, { files: { 'config.json': '{}' } })
  const cli = new Cli(engine)
  const empty = await cli.run('lock')
  expect(empty).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('declares no model') })
  const elsewhere = await new Cli(engine, { HF_ENDPOINT: hub.url, HF_TOKEN: 'hf_secret' }).run('lock', 'org/private')
  expect(elsewhere).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('Private: org/private') })
  expect(await readFile(lockfile, 'utf8')).not.toContain('hf_secret')
  const named = await cli.json(1, 'lock', 'org/a', 'org/b', 'org/none')
  expect(named).toMatchObject({
    models: [
      { repo: 'org/a', action: 'added' },
      { repo: 'org/b', action: 'added' },
    ],
    failures: [{ repo: 'org/none', error: { code: 'MODEL_NOT_FOUND' } }],
  })
  const updated = await cli.run('lock', '--update', 'org/*')
  expect(updated.stdout).toMatch(
    /^= org\/a {2}\w{7}\n= org\/b {2}\w{7}\nmodels.lock.json has 3 models: nothing to change\.$/,
  )
  expect(await cli.run('lock', 'x/*')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('MODEL_NOT_FOUND'),
  })
  expect(await cli.run('lock', '--check', '--update')).toMatchObject({ exitCode: 2 })
  const [status, json, doctor] = await Promise.all([cli.run('status'), cli.json(0, 'status'), cli.run('doctor')])
  expect(status.stdout).toMatch(/^lock file {2}.*models\.lock\.json · 3 models$/m)
  expect(json.lockFile).toEqual({ path: lockfile, models: 3, frozen: false, error: null })
  expect(doctor.stdout).toContain(`✓ lock file    models.lock.json: 2 models for ${engine.hub.url}`)
  const frozen = await cli.json(1, 'warm', '--frozen', 'org/a', 'org/c')
  expect(frozen.models).toMatchObject([{ ok: true }, { ok: false, error: { code: 'NOT_LOCKED' } }])
  const pruned = await cli.run('lock', '--prune', 'org/a')
  expect(pruned.stdout).toMatch(/^- org\/b {2}\w{7}\nmodels.lock.json has 2 models now/)
  expect(JSON.parse(await readFile(lockfile, 'utf8')).models.map(({ repo }: { repo: string }) => repo)).toEqual([
    'org/a',
    'org/private',
  ])

  // Two branches have updated the same model: git shows the conflict, and no command goes on with the file.
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=x', '-c', 'user.email=x@x', ...args], { cwd: engine.folder, stdio: 'ignore' })
  const commitFile = () => git('commit', '-qam', 'x', '--allow-empty')
  git('init', '-qb', 'main')
  git('add', 'models.lock.json')
  commitFile()
  const repository = engine.hub.addRepo('org/c', { files: { 'a.bin': '1', 'b.bin': '1' } })
  await cli.run('lock', 'org/c')
  commitFile()
  git('checkout', '-qb', 'theirs')
  for (const [branch, file] of [
    ['theirs', 'a.bin'],
    ['main', 'b.bin'],
  ] as const) {
    git('checkout', '-q', branch)
    repository.addCommit({ files: { [file]: '2' } })
    await cli.run('lock', '--update', 'org/c')
    commitFile()
  }
  expect(() => git('merge', 'theirs')).toThrow()
  const conflict = await Promise.all([cli.run('lock'), cli.run('key'), cli.run('warm', 'org/a'), cli.run('status')])
  expect(conflict.map(({ exitCode }) => exitCode)).toEqual([2, 2, 1, 0])
  for (const { stderr } of conflict.slice(0, 3))
    expect(stderr).toMatch(/has the marks of a merge conflict, the first in line \d+/)
  expect(conflict[3]?.stdout).toContain('broken: `doctor` says why')
  git('checkout', '--ours', 'models.lock.json')
  expect(await cli.run('lock', '--check', 'org/c')).toMatchObject({ exitCode: 0 })
})

test('two `lock` commands at once lose no model', async () => {
  const engine = await Engine.start(onTestFinished)
  const [c] = ['org/c', 'org/b', 'org/a'].map((name) => engine.hub.addRepo(name, { files: { 'config.json': '{}' } }))
  const cli = new Cli(engine)
  await cli.run('lock', 'org/c')
  // If the second command takes longer than that, the test is weaker, and passes all the same.
  engine.hub.fault({ repo: 'org/a' }, { delayMs: 4_000 }, { times: 1 })
  const slow = cli.run('lock', 'org/a', 'org/c')
  await engine.hub.waitForRequest({ repo: 'org/a' })
  c?.addCommit({ files: { 'config.json': '{"new":1}' } })
  const quick = await cli.run('lock', 'org/b', 'org/c', '--update')
  expect([quick.exitCode, (await slow).exitCode]).toEqual([0, 0])
  const { models } = JSON.parse(await readFile(join(engine.folder, 'models.lock.json'), 'utf8'))
  expect(models).toMatchObject([{ repo: 'org/a' }, { repo: 'org/b' }, { repo: 'org/c', commit: c?.commit }])
})
