import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { contentsOf, Engine, refusalOf } from '../support/engine.ts'
import { canMount, mountMemory } from '../support/mount.ts'
import { mappableOnnx } from '../support/onnx-source.ts'

// The steps of an import of these models are about 200.
const STEPS = 220
const KILLS = Math.ceil(Number(process.env.KILLS ?? 16) / 2)

const FILES: Record<string, Record<string, Buffer>> = {
  'org/kept': { 'config.json': Buffer.from('{"kept":1}') },
  'org/first': { 'config.json': Buffer.from('{"first":1}'), 'model.onnx': mappableOnnx(randomBytes(1 << 20)) },
  'org/second': {
    'config.json': Buffer.from('{"second":1}'),
    'a.bin': randomBytes(30_000),
    'b.bin': randomBytes(2 << 20),
  },
}
const NAMES = Object.keys(FILES)

/** Machine A with all models, and archives of them. */
async function machineA(): Promise<{ engine: Engine; kept: string; all: string }> {
  const engine = await Engine.start(onTestFinished)
  for (const [name, files] of Object.entries(FILES)) {
    engine.hub.addRepo(name, { files })
    await engine.open().get(name)
  }
  const [kept, all] = ['kept.tar', 'all.tar.gz'].map((name) => join(engine.folder, name))
  await engine.open().exportTo(kept ?? '', ['org/kept'])
  await engine.open().exportTo(all ?? '')
  engine.hub.clearRequests()
  return { engine, kept: kept ?? '', all: all ?? '' }
}

/** All models are served offline with the right bytes. */
async function expectAll(engine: Engine, cacheDir: string, names = NAMES): Promise<void> {
  const cache = engine.open({ cacheDir, offline: true })
  for (const name of names) {
    const contents = Object.entries(FILES[name] ?? {}).map(([path, bytes]) => [path, bytes.toString('latin1')])
    expect(await contentsOf(await cache.get(name))).toEqual(Object.fromEntries(contents))
  }
  expect(await cache.verify()).toMatchObject({ problems: [] })
}

test('an import that is killed at any step leaves only whole models, and the next one completes it', async () => {
  const { engine, kept, all } = await machineA()
  for (let kill = 0; kill < KILLS; kill++) {
    const cacheDir = join(engine.folder, `b ${kill}`)
    const open = () => engine.open({ cacheDir, offline: true })
    await open().importFrom(kept)
    const step = 1 + Math.floor(Math.random() * STEPS)
    const when = (['before', 'after', 'torn'] as const)[kill % 3] ?? 'before'
    const victim = await engine.spawn({ cacheDir, offline: true })
    await victim.begin('import', [all], 1, { step, when })
    const what = `kill ${when} step ${step}`
    const listed = await open().list()
    expect(
      listed.map(({ repo }) => String(repo)),
      what,
    ).toContain('org/kept')
    for (const { repo, files } of listed)
      expect(files.size, `${what}: ${repo}`).toBe(Object.keys(FILES[repo] ?? {}).length)
    await expectAll(
      engine,
      cacheDir,
      listed.map(({ repo }) => repo),
    )
    await open().importFrom(all)
    await expectAll(engine, cacheDir)
    await open().maintain()
    await open().remove(...(await open().list()))
    const left = await readdir(cacheDir, { recursive: true, withFileTypes: true })
    const names = left.filter((entry) => entry.isFile()).map(({ name }) => name)
    // What a killed process has begun to write is removed when it is old.
    expect(names.filter((name) => !/\.(tmp|incomplete)(\.json)?$/.test(name)).sort(), what).toEqual([
      'CACHEDIR.TAG',
      'cache.json',
      'cache_metadata.json',
      'endpoint',
      'maintenance.json',
    ])
  }
  expect(engine.hub.requests).toEqual([])
})

test('imports at the same time, and runs that use the cache meanwhile, do not disturb each other', async () => {
  const { engine, kept, all } = await machineA()
  const cacheDir = join(engine.folder, 'b')
  const open = () => engine.open({ cacheDir, offline: true })
  await open().importFrom(kept)
  const [other, reader] = await Promise.all([
    engine.spawn({ cacheDir, offline: true }),
    engine.spawn({ cacheDir, offline: true, isRun: true }),
  ])
  const reading = reader.begin('get', ['org/kept'], Number.MAX_SAFE_INTEGER)
  const imports = await Promise.all([open().importFrom(all), open().importFrom(all), other.do('import', [all])])
  reader.stop()
  await reading
  expect(imports.at(2)).toEqual({ given: [], errors: [] })
  expect(reader.turns.flatMap(({ errors }) => errors)).toEqual([])
  await expectAll(engine, cacheDir)
  expect(await open().list()).toHaveLength(3)
})

test.skipIf(!canMount)('a disk that is too small ends an import before anything is written', async () => {
  const { engine, all } = await machineA()
  const folder = join(engine.folder, 'small disk')
  const disk = mountMemory(folder, 2)
  try {
    const refusal = await refusalOf(engine.open({ cacheDir: join(folder, 'b') }).importFrom(all))
    expect(refusal).toMatchObject({ code: 'CACHE_UNUSABLE' })
    expect(refusal.reason).toMatch(/^It takes 3\.\d+ MiB, and the disk of .* left\.$/)
    expect(await engine.open({ cacheDir: join(folder, 'b') }).list()).toEqual([])
  } finally {
    disk.unmount()
  }
})
