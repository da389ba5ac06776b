import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstat, mkdir, readdir, readFile, rename, rm, stat, symlink, watch, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { snapshotDownload } from '@huggingface/hub'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { withLock } from '../../src/cache/store/locks/lock.ts'
import { deleteEntries } from '../../src/cache/upkeep/remove.ts'
import { contentsOf, Engine, filesOf, gitSha1, refusalOf, sha256 } from '../support/engine.ts'

const WEIGHTS = Buffer.alloc(50_000, 'weights')
const FILES = { 'config.json': '{"model_type":"custom"}', 'weights.bin': WEIGHTS, 'notes/read me.txt': 'a note' }
const CONTENTS = { ...FILES, 'weights.bin': WEIGHTS.toString('latin1') }
const DAY_MS = 86_400_000

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
})

/** Resolves when a file with a matching name appears or changes. */
async function newFileIn(folder: string, name: RegExp): Promise<void> {
  for await (const { filename } of watch(folder)) if (filename && name.test(filename)) return
}

function daysAgo(days: number): string {
  return new Date(Date.now() - days * DAY_MS).toISOString()
}

describe('remove', () => {
  test('frees the bytes of a model and leaves no file of its repo', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    engine.hub.addRepo('org/other', { files: FILES })
    const model = await engine.open().get('org/name')
    await engine.open().get('org/other')
    const removed = await engine.open().remove('org/name')
    expect(removed).toMatchObject({ freedBytes: model.bytes, entries: [{ repo: 'org/name' }] })
    expect(new Set((await engine.listing('hub')).map((path) => path.split('/')[0]))).toEqual(
      new Set(['models--org--other']),
    )
    expect((await engine.open().list()).map(({ repo }) => repo)).toEqual(['org/other'])
    expect(await engine.open().has('org/name')).toBe(false)
    expect((await engine.open().get('org/name')).tier).toBe('hub')
  })

  test.each(['', 'blobs'])('never follows a link: models--org--name/%s', async (linked) => {
    engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get('org/name')
    const [theirs, ours] = [join(engine.folder, 'theirs'), engine.inCache('hub/models--org--name', linked)]
    await rename(ours, theirs)
    await symlink(theirs, ours)
    const before = await readdir(theirs, { recursive: true })
    await engine.open().get('org/name')
    await engine.open().remove('org/name')
    expect(await engine.open().list()).toEqual([])
    expect((await readdir(theirs, { recursive: true })).sort()).toEqual(before.sort())
  })

  test('also removes files that were downloaded since the entry was listed', async () => {
    const repository = engine.hub.addRepo('org/name', { files: FILES })
    const cache = engine.open()
    await cache.get(filesOf('org/name', 'config.json'))
    const chosen = await cache.list()
    await engine.open().get('org/name')
    repository.addCommit({ files: { other: 'other' }, branch: 'dev' })
    await engine.open().get(filesOf('org/name@dev', 'other'))
    await deleteEntries(cache.context, chosen)
    expect(await engine.listing('hub/models--org--name/blobs')).toEqual([gitSha1('other')])
  })

  test('keeps blobs that another commit uses', async () => {
    const repository = engine.hub.addRepo('org/name', { files: FILES })
    const cache = engine.open()
    const main = await cache.get('org/name')
    repository.addCommit({ files: { 'config.json': '{"new":true}' }, branch: 'feature/dev' })
    const dev = await cache.get('org/name@feature/dev')
    const removed = await cache.remove('org/name@feature/dev')
    expect(removed.freedBytes).toBe('{"new":true}'.length)
    expect(await contentsOf(main)).toEqual(CONTENTS)
    const left = await engine.listing('hub/models--org--name')
    expect(left.filter((path) => path.includes(dev.commit) || path.startsWith('refs/feature'))).toEqual([])
    expect(left).toContain('refs/main')
    engine.hub.clearRequests()
    expect((await engine.open().get('org/name')).tier).toBe('disk')
    expect(engine.hub.requests).toEqual([])
    expect((await cache.remove('org/name')).freedBytes).toBe(main.bytes)
    expect(await engine.listing('hub')).toEqual([])
  })

  test('without a revision removes all commits of the repo', async () => {
    const repository = engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get('org/name')
    repository.addCommit({ files: { 'config.json': '{"new":true}' }, branch: 'dev' })
    await engine.open().get('org/name@dev')
    expect((await engine.open().remove('org/name')).entries).toHaveLength(2)
    expect(await engine.listing('hub')).toEqual([])
  })

  test('removes nothing when one of the names is unknown', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get('org/name')
    const refusal = {
      code: 'MODEL_NOT_FOUND',
      asked: 'Model org/nothing',
      reason: expect.stringContaining(engine.cacheDir),
    }
    expect(await refusalOf(engine.open().remove('org/name', 'org/nothing'))).toMatchObject(refusal)
    expect(await refusalOf(engine.open().remove('org/name@v1'))).toMatchObject({ code: 'MODEL_NOT_FOUND' })
    expect(await engine.open().has('org/name')).toBe(true)
  })

  test('deletes nothing in a folder without a marker file', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get('org/name')
    await rm(engine.inCache('cache.json'))
    const before = await engine.listing()
    expect(await engine.open().remove('org/name')).toEqual({ entries: [], freedBytes: 0 })
    expect(await engine.open({ maxSize: 0 }).maintain()).toMatchObject({ entries: [], freedBytes: 0 })
    expect(await engine.listing()).toEqual(before)
  })

  test('does not follow a snapshot folder that is a link out of the cache', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    const model = await engine.open().get('org/name')
    const outside = join(engine.folder, 'outside')
    await mkdir(outside)
    await writeFile(join(outside, 'precious.txt'), 'precious')
    await rm(model.directory, { recursive: true })
    await symlink(outside, model.directory)
    await engine.open().remove('org/name')
    expect(await readFile(join(outside, 'precious.txt'), 'utf8')).toBe('precious')
    await expect(lstat(model.directory)).rejects.toThrow(/ENOENT/)
  })
})

describe('a live run', () => {
  const run = (id: string, pid = process.pid) => ({ id, pid })

  test('protects the models that it asked for until it ends', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    const own = engine.open({ run: run('first') })
    await own.get('org/name')
    for (const other of [engine.open(), engine.open({ run: run('second') })])
      expect(await refusalOf(other.remove('org/name'))).toMatchObject({ code: 'IN_USE', asked: 'Model org/name' })
    expect((await engine.open({ maxSize: 0, maxAge: 0 }).maintain()).entries).toEqual([])
    expect(await engine.open().has('org/name')).toBe(true)
    await own.endRun()
    expect((await engine.open().remove('org/name')).entries).toHaveLength(1)
    expect(await engine.listing('leases')).toEqual([])
  })

  test('protects models that were cached already, and those that its other processes claim', async () => {
    engine.hub.addRepo('org/one', { files: FILES })
    engine.hub.addRepo('org/two', { files: FILES })
    const one = await engine.open().get('org/one')
    const main = engine.open({ run: run('first') })
    await main.claim(one)
    await engine.open().get('org/two')
    await main.get('org/two')
    expect((await engine.open({ maxSize: 0 }).maintain()).entries).toEqual([])
    await main.endRun()
    expect((await engine.open({ maxSize: 0 }).maintain()).entries).toHaveLength(2)
  })

  test('protects all models of concurrent requests', async () => {
    const names = Array.from({ length: 24 }, (_, index) => `org/model-${index}`)
    for (const name of names) engine.hub.addRepo(name, { files: { 'a.txt': name } })
    await engine.open().warm(names)
    for (let round = 0; round < 5; round++) {
      const own = engine.open({ run: run(`round-${round}`) })
      await Promise.all(names.map((name) => own.get(name)))
      const { entries } = await engine.open({ maxSize: 0 }).maintain()
      expect(entries.map(({ repo }) => repo)).toEqual([])
      await own.endRun()
    }
  })

  test('protects a commit that replaced the warmed one', async () => {
    const repository = engine.hub.addRepo('org/name', { files: FILES })
    const main = engine.open({ run: run('first') })
    const manifest = await main.manifest(await main.warm(['org/name']))
    await rm(engine.inCache('hub/models--org--name/blobs', sha256(WEIGHTS)))
    await engine.ageMain('org/name', 8 * DAY_MS)
    const commit = repository.addCommit({ files: { 'config.json': '{"new":true}' } })
    expect(await engine.open({ manifest, run: run('first') }).get('org/name')).toMatchObject({ commit })
    await engine.open({ maxSize: 0 }).maintain()
    expect((await engine.open().list()).map((entry) => entry.commit)).toContain(commit)
  })

  test('is served with a warning when its claim can not be written', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get('org/name')
    await writeFile(engine.inCache('leases'), 'a file')
    const model = await engine.open({ run: run('first') }).get('org/name')
    expect(await contentsOf(model)).toEqual(CONTENTS)
    expect(engine.warnings).toHaveLength(1)
  })

  test('protects a model that it asks for while another process is about to remove it', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get('org/name')
    const { model, eviction } = await withLock(`${engine.inCache('cache_metadata.json')}.lock`, async () => {
      const isWaiting = newFileIn(engine.cacheDir, /lock.*tmp$/)
      const eviction = engine.open({ maxSize: 0 }).maintain()
      // By then `maintain` has seen that no run claims the model.
      await isWaiting
      return { model: await engine.open({ run: run('one') }).get('org/name'), eviction }
    })
    expect((await eviction).entries).toEqual([])
    expect(await contentsOf(model)).toEqual(CONTENTS)
    expect(await engine.open().list()).toMatchObject([{ repo: 'org/name' }])
  })

  test('can remove a model that only it uses', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    const own = engine.open({ run: run('first') })
    await own.get('org/name')
    expect((await own.remove('org/name')).entries).toHaveLength(1)
  })

  test('protects nothing after its process has died', async () => {
    const child = spawn(process.execPath, ['--eval', ''])
    await once(child, 'exit')
    engine.hub.addRepo('org/name', { files: FILES })
    await engine.open({ run: run('dead', child.pid) }).get('org/name')
    expect((await engine.open().remove('org/name')).entries).toHaveLength(1)
  })
})

describe('maintenance', () => {
  /** Caches models of 1,000 bytes that were last used so many days ago. */
  async function addModels(days: number[]): Promise<void> {
    for (const [index, day] of days.entries()) {
      engine.hub.addRepo(`org/model-${index}`, { files: { 'a.txt': `${index}`.repeat(1000) } })
      await engine.open().get(`org/model-${index}`)
      await engine.setRecord(`org/model-${index}`, { lastAccessDate: daysAgo(day) })
    }
  }
  const left = async () => (await engine.open().list()).map(({ repo }) => repo.slice(-1)).join('')

  test('removes models that were not used for maxAge', async () => {
    await addModels([8, 6, 30, 0])
    const removed = await engine.open().maintain()
    expect(removed.entries.map(({ repo }) => repo).sort()).toEqual(['org/model-0', 'org/model-2'])
    expect(removed.freedBytes).toBe(2000)
    expect(await left()).toBe('13')
    expect(engine.decisions.filter((line) => line.includes('Removed expired model'))).toEqual([
      expect.stringContaining('org/model-0 (age: 8d)'),
      expect.stringContaining('org/model-2 (age: 30d)'),
    ])
  })

  test('removes the least recently used models beyond maxSize, and no more than needed', async () => {
    await addModels([1, 3, 2, 4])
    expect((await engine.open({ maxSize: 2500 }).maintain()).entries.map(({ repo }) => repo)).toEqual([
      'org/model-3',
      'org/model-1',
    ])
    expect(await left()).toBe('02')
    expect((await engine.open({ maxSize: 2000 }).maintain()).entries).toEqual([])
  })

  test('keeps pinned models', async () => {
    await addModels([30, 30])
    await engine.setRecord('org/model-0', { pinned: true })
    await engine.open({ maxSize: 0 }).maintain()
    expect(await left()).toBe('0')
  })

  test('keeps a model that a process downloads, until the process is killed', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get(filesOf('org/name', '*.json'))
    engine.hub.fault({ file: 'weights.bin', origin: 'cdn' }, { stallAfter: 1000 })
    const other = await engine.spawn()
    void other.begin('get', ['org/name'])
    await engine.hub.waitForRequest({ file: 'weights.bin', origin: 'cdn' })
    const maintain = () => engine.open({ maxSize: 0 }).maintain()
    expect((await maintain()).entries).toEqual([])
    await other.kill()
    expect((await maintain()).entries).toMatchObject([{ repo: 'org/name' }])
    expect((await engine.listing('incoming')).filter((path) => path.includes('lock'))).toEqual([])
  })

  test('expires nothing while offline', async () => {
    await addModels([30, 1])
    expect((await engine.open({ offline: true }).maintain()).entries).toEqual([])
    expect(await left()).toBe('01')
  })

  test('does not create the cache folder', async () => {
    expect(await engine.open().maintain()).toMatchObject({ entries: [], freedBytes: 0 })
    await expect(stat(engine.cacheDir)).rejects.toThrow(/ENOENT/)
  })
})

describe('a model that another tool put into the cache', () => {
  test('counts towards the size, and is evicted like other models', async () => {
    const { commit: revision } = engine.hub.addRepo('org/name', { files: FILES })
    engine.hub.addRepo('org/ours', { files: { 'config.json': '{}' } })
    await engine.open().get('org/ours')
    await snapshotDownload({ repo: 'org/name', revision, cacheDir: engine.inCache('hub'), hubUrl: engine.hub.url })
    await engine.open().maintain()
    const size = Object.values(CONTENTS).join('').length
    expect(await engine.open().statistics()).toMatchObject({ entries: 2, size: size + 2 })
    engine.hub.clearRequests()
    expect(await contentsOf(await engine.open().get(`org/name@${revision}`))).toEqual(CONTENTS)
    expect(engine.filesAsked).toEqual([])
    await engine.open({ maxSize: 1000 }).maintain()
    expect((await engine.open().list()).map(({ repo }) => repo)).toEqual(['org/ours'])
    expect(await engine.listing('hub', 'models--org--ours')).not.toEqual([])
  })
})

test('a file with a name of 255 bytes is cached', async () => {
  const name = `${'n'.repeat(251)}.bin`
  engine.hub.addRepo('org/name', { files: { [name]: 'content' } })
  expect(await contentsOf(await engine.open().get('org/name'))).toEqual({ [name]: 'content' })
})

test('a folder in place of the metadata counts as missing metadata', async () => {
  engine.hub.addRepo('org/name', { files: FILES })
  await engine.open().get('org/name')
  await rm(engine.inCache('cache_metadata.json'))
  await mkdir(engine.inCache('cache_metadata.json'))
  expect((await engine.open().list()).map(({ repo }) => repo)).toEqual(['org/name'])
  expect(await engine.open().has('org/name')).toBe(false)
})
