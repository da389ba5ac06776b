import { execFileSync } from 'node:child_process'
import { chmod, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { Cli, canRunAsNobody } from '../support/cli.ts'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { contentsOf, Engine, refusalOf } from '../support/engine.ts'
import { canMount, mountMemory } from '../support/mount.ts'

const DAY_MS = 86_400_000
const FILES = { 'config.json': '{}', 'weights.bin': 'w'.repeat(100_000) }
const MAIN = { repo: parseRepoId('org/name'), revision: 'main' }

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/name', { files: FILES })
  engine.hub.addRepo('org/other', { files: { 'config.json': '{}' } })
  await engine.open().get('org/name')
})

/** `cp -a` of the cache: the files keep their times and get new inodes. `change` runs before the copy becomes read-only. */
async function readOnlyCopy(change = async (_copy: string) => {}): Promise<string> {
  const copy = join(engine.folder, 'copy')
  const disk = mountMemory(copy, 32)
  onTestFinished(disk.unmount)
  execFileSync('cp', ['-a', `${engine.cacheDir}/.`, copy])
  await change(copy)
  disk.makeReadOnly()
  engine.hub.clearRequests()
  return copy
}

/** The path of the blob with that size in bytes, in a copy. */
async function blobIn(copy: string, bytes: number): Promise<string> {
  const blobs = join(copy, 'hub/models--org--name/blobs')
  const names = await readdir(blobs)
  const name = names.find((name) => (bytes > 2 ? name.length === 64 : name.length === 40))
  return join(blobs, name ?? 'none')
}

describe.skipIf(!canMount)('a read-only copy of a cache', () => {
  test('serves its models without the Hub, although times and inodes of the files may differ', async () => {
    const copy = await readOnlyCopy()
    for (const offline of [false, true]) {
      const cache = engine.open({ cacheDir: copy, offline })
      const model = await cache.get('org/name')
      expect(model).toMatchObject({ tier: 'disk', directory: expect.stringContaining(copy) })
      expect(await contentsOf(model)).toEqual(FILES)
      expect((await cache.file(MAIN, 'weights.bin')).file).toContain(copy)
      expect(await cache.has('org/name')).toBe(true)
    }
    expect(engine.hub.requests).toEqual([])
    expect(engine.warnings).toEqual([])
  })

  test('serves a branch that was resolved longer than `maxAge` ago, and warns', async () => {
    const longAgo = (Date.now() - 30 * DAY_MS) / 1000
    const copy = await readOnlyCopy((copy) =>
      utimes(join(copy, engine.inOrigin('models--org--name/refs/main')), longAgo, longAgo),
    )
    expect((await engine.open({ cacheDir: copy }).get('org/name')).tier).toBe('disk')
    expect(engine.hub.requests).toEqual([])
    expect(engine.warnings).toEqual([
      expect.stringMatching(/^org\/name: `main` was looked up longer than `maxAge` ago.*read-only/),
    ])
  })

  test('does not serve a file whose digest differs from the stated digest', async () => {
    const copy = await readOnlyCopy(async (copy) => {
      const blob = await blobIn(copy, 100_000)
      await chmod(blob, 0o600)
      await writeFile(blob, 'x'.repeat(100_000))
    })
    const refusal = await refusalOf(engine.open({ cacheDir: copy, offline: true }).get('org/name'))
    expect(refusal.code).toBe('CACHE_UNUSABLE')
    const { exitCode, stdout, stderr } = await new Cli(engine, { MODEL_CACHE_DIR: copy }).run('verify')
    expect([exitCode, stderr]).toEqual([1, ''])
    expect(stdout).toMatch(/✗ org\/name {2}weights\.bin: .*\n.*1 of 2 files is wrong/s)
  })

  test('refuses a model that is not in it, and states the reason without a system error', async () => {
    const copy = await readOnlyCopy()
    const refusal = await refusalOf(engine.open({ cacheDir: copy }).get('org/other'))
    expect(refusal).toMatchObject({
      code: 'CACHE_UNUSABLE',
      asked: 'Model org/other',
      reason: `It is not in the cache folder ${copy}, and this folder is read-only.`,
      nextStep: expect.stringContaining('MODEL_CACHE_DIR'),
    })
    expect(engine.hub.requests).toEqual([])
  })

  test('can be read by commands, and is refused by commands that change a cache', async () => {
    const copy = await readOnlyCopy()
    const cli = new Cli(engine, { MODEL_CACHE_DIR: copy })
    const reading = ['ls', 'status', 'path org/name weights.bin', 'verify', 'warm org/name', 'optimize --dry-run']
    const read = await Promise.all(reading.map((args) => cli.run(...args.split(' '))))
    expect(read.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(reading.map(() => [0, '']))
    const changing = ['optimize', 'clean --yes', 'rm org/name --yes', 'pin org/name', 'warm org/other']
    for (const { exitCode, stdout, stderr } of await Promise.all(changing.map((args) => cli.run(...args.split(' '))))) {
      expect([exitCode, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(/read-only.*\[CACHE_UNUSABLE\]/)
      expect(stderr).not.toMatch(/EROFS|\.lock/)
    }
  })

  test('serves a run of tests; a model that is not in it is downloaded to a temporary folder of the run', async () => {
    const copy = await readOnlyCopy()
    const asks = `
      import { existsSync } from 'node:fs'
      import { expect, test } from 'vitest'
      test.each(['org/name', 'org/other'])('asks for %s', async (name) => {
        const answer = await fetch(process.env.HF_ENDPOINT + '/' + name + '/resolve/main/config.json')
        expect(await answer.text()).toBe('{}')
      })
      test('asks for a path', async ({ models }) => {
        expect(await models.file('org/name', 'weights.bin')).toContain(${JSON.stringify(copy)})
      })
    `
    const config = configSource({ models: ['org/name'], cacheDir: copy })
    const consumer = await Consumer.create({ files: { 'vitest.config.ts': config, 'a.test.ts': asks } })
    const env = { MODEL_CACHE_DIR: copy, HF_ENDPOINT: engine.hub.url }
    const { exitCode, output, report } = await consumer.vitest([], env)
    expect(exitCode, output).toBe(0)
    expect(report?.models).toMatchObject([
      { repo: 'org/name', tiers: { disk: expect.any(Number) }, downloadedBytes: 0 },
      { repo: 'org/other', tiers: { hub: 1 } },
    ])
    expect(engine.hub.requests.filter(({ repo }) => repo === 'org/name')).toEqual([])
    expect(output.match(/read-only/g)).toHaveLength(1)
  })
})

test.skipIf(!canRunAsNobody)('a copy that belongs to another user and is not writable can be read too', async () => {
  const copy = join(engine.folder, 'copy')
  execFileSync('cp', ['-a', engine.cacheDir, copy])
  execFileSync('chmod', ['-R', 'a-w,a+rX', copy])
  await chmod(engine.folder, 0o755)
  engine.hub.clearRequests()
  const cli = new Cli(engine, { MODEL_CACHE_DIR: copy, HOME: '/nonexistent' }, true)
  const reading = ['ls', 'status', 'path org/name', 'verify', 'warm org/name']
  const read = await Promise.all(reading.map((args) => cli.run(...args.split(' '))))
  expect(read.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(reading.map(() => [0, '']))
  expect(engine.hub.requests).toEqual([])
  // The copy belongs to a third user, who could change it.
  execFileSync('chown', ['-R', '1234:1234', copy])
  const warned = await cli.run('warm', 'org/name')
  expect(warned).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('belongs to another user (uid 1234)') })
  execFileSync('chmod', ['go-rwx', copy])
  const unreadable = await cli.run('ls')
  expect(unreadable).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining('permissions') })
})
