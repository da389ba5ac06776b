import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { Cli } from '../support/cli.ts'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { Engine } from '../support/engine.ts'
import { DOG, startModelsHub } from '../support/models-hub.ts'

const { hub, env } = await startModelsHub(['org/embeddings'])

const UNTOUCHED = `
  import { pipeline } from '@huggingface/transformers'
  import { expect, test } from 'vitest'
  test('embeds', async () => {
    const embed = await pipeline('feature-extraction', 'org/embeddings', { dtype: 'q8' })
    const { data } = await embed('A dog', { pooling: 'mean', normalize: true })
    expect(data[0]).toBeCloseTo(${DOG}, 1)
  })
`

test('a suite with untouched code passes without a request on a machine that imported its models', async () => {
  const consumer = await Consumer.create({ files: { 'vitest.config.ts': configSource({}), 'a.test.ts': UNTOUCHED } })
  const online = await consumer.vitest([], env)
  expect(online.exitCode, online.output).toBe(0)
  const exported = await consumer.cli(['export', 'models.tar.gz'], env)
  expect(exported).toMatchObject({ exitCode: 0 })
  expect(exported.stdout).toMatch(/^Exported 1 model \([\d.]+ [KM]iB\) to models\.tar\.gz: [\d.]+ [KM]iB, gzip, in /)

  hub.clearRequests()
  const alone = { ...env, MODEL_CACHE_DIR: `${consumer.cacheDir} of machine B`, MODEL_CACHE_OFFLINE: '1' }
  const without = await consumer.vitest([], alone)
  expect(without.exitCode, without.output).toBe(1)
  const imported = await consumer.cli(['import', 'models.tar.gz'], alone)
  expect(imported, imported.output).toMatchObject({ exitCode: 0 })
  expect(imported.stdout).toMatch(
    /^Imported 1 model \([\d.]+ [KM]iB\) in .+\n {2}org\/embeddings at [0-9a-f]{7}: \d new files$/,
  )
  const offline = await consumer.vitest([], alone)
  expect(offline.exitCode, offline.output).toBe(0)
  expect(offline.report).toMatchObject({ requests: 1, hits: 1, misses: 0 })
  expect(hub.requests).toEqual([])
})

test('`export` and `import` say what they did and what they would do, through files and pipes', async () => {
  const engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/a', { files: { 'config.json': '{"a":1}' } })
  engine.hub.addRepo('org/b', { files: { 'config.json': '{"b":1}', 'weights.bin': 'w'.repeat(5_000) } })
  for (const name of ['org/a', 'org/b']) await engine.open().get(name)
  const cli = new Cli(engine)
  const b = ['--cache-dir', join(engine.folder, 'b')]

  expect(await cli.json(0, 'export', 'all.tar')).toMatchObject({
    ...{ schemaVersion: 1, dryRun: false, file: 'all.tar', compression: 'none', bytes: 5_014 },
    ...{
      models: [{ repo: 'org/a' }, { repo: 'org/b' }],
      archiveBytes: (await stat(join(engine.folder, 'all.tar'))).size,
    },
  })
  const [taken, dry, unknown, noFile, wrongEnding] = await Promise.all([
    cli.run('export', 'all.tar'),
    cli.run('export', 'b.tar.gz', 'org/b', '--dry-run'),
    cli.run('export', 'x.tar', 'org/none'),
    cli.run('import', 'none.tar', ...b),
    cli.run('export', 'all.zip'),
  ])
  expect(taken).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('add `--force` to replace it') })
  expect(dry).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^Would export 1 model \(4\.89 KiB\) to b\.tar\.gz:\n {2}org\/b at/),
  })
  expect(unknown).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('[MODEL_NOT_FOUND]') })
  expect(noFile).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("none.tar: It can't be read: ENOENT") })
  expect(wrongEnding).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('Name it .tar, .tar.gz') })
  expect(await cli.run('export', 'all.tar', 'org/*', '--force', '--quiet')).toEqual({
    exitCode: 0,
    stdout: '',
    stderr: '',
  })
  expect((await readdir(engine.folder)).filter((name) => /tar|zip|tmp/.test(name))).toEqual(['all.tar'])

  expect(await cli.json(0, 'import', 'all.tar', '--dry-run', ...b)).toMatchObject({
    dryRun: true,
    models: [{ addedFiles: null }, {}],
  })
  expect(await cli.run('ls', ...b)).toMatchObject({ exitCode: 0, stdout: '' })
  const piped = await cli.piped(['export', '-', 'org/b'], ['import', '-', ...b])
  expect(piped).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^Imported 1 model .*\n {2}org\/b at \w+: 2 new files$/),
  })
  expect(piped.stderr).toContain('Exported 1 model (4.89 KiB) to standard output')
  expect(await cli.json(0, 'import', 'all.tar', ...b)).toMatchObject({
    ...{ schemaVersion: 1, dryRun: false, bytes: 5_014 },
    models: [
      { repo: 'org/a', access: 'public', bytes: 7, addedFiles: 1 },
      { repo: 'org/b', addedFiles: 0 },
    ],
  })
  expect(await cli.run('export', '-', '--json')).toMatchObject({ exitCode: 2 })
  const cut = await cli.piped(['export', '-', '--cache-dir', join(engine.folder, 'none')], ['import', '-', ...b])
  expect(cut).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('Archive from standard input: It is empty.'),
  })
})

test('Ctrl-C ends both commands with exit code 130, and nothing unfinished is left', async () => {
  const engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/large', { files: { 'config.json': '{}', 'weights.bin': randomBytes(40 << 20) } })
  await engine.open().get('org/large')
  await engine.open().exportTo(join(engine.folder, 'whole.tar'))
  const cli = new Cli(engine)
  const names = async () => (await readdir(engine.folder)).filter((name) => /tar/.test(name))
  const exporting = cli.start('export', 'large.tar.gz')
  const exported = once(exporting, 'exit')
  while ((await names()).length < 2 && exporting.exitCode === null) await wait(1)
  exporting.kill('SIGINT')
  expect(await exported).toEqual([130, null])
  expect(await names()).toEqual(['whole.tar'])

  const folder = join(engine.folder, 'b')
  const importing = cli.start('import', '-', '--cache-dir', folder)
  const imported = once(importing, 'exit')
  const whole = await readFile(join(engine.folder, 'whole.tar'))
  // The program ends before it has read all.
  importing.stdin?.on('error', () => undefined)
  importing.stdin?.write(whole.subarray(0, 20 << 20))
  const incoming = async () => readdir(join(folder, 'incoming')).catch(() => [])
  while (!(await incoming()).some((name) => name.endsWith('.incomplete')) && importing.exitCode === null) await wait(1)
  importing.kill('SIGINT')
  expect(await imported).toEqual([130, null])
  expect(await incoming()).toEqual([])
  expect(await engine.open({ cacheDir: folder }).list()).toEqual([])
  expect(await cli.run('import', 'whole.tar', '--cache-dir', folder)).toMatchObject({ exitCode: 0 })
})
