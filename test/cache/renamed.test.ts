import { randomBytes } from 'node:crypto'
import { readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { scanCacheDir } from '@huggingface/hub'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { CachedModel } from '../../src/cache/cached-model.ts'
import type { CacheOptions } from '../../src/cache/index.ts'
import { contentsOf, Engine } from '../support/engine.ts'
import type { Repository } from '../support/hub/index.ts'

const DAY_MS = 86_400_000
const FILES = { 'config.json': '{}', 'weights.bin': randomBytes(100_000) }
const CONTENTS = { 'config.json': '{}', 'weights.bin': FILES['weights.bin'].toString('latin1') }
const BYTES = FILES['config.json'].length + FILES['weights.bin'].length

let engine: Engine
let repository: Repository

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  repository = engine.hub.addRepo('old/name', { files: FILES })
})

const rename = () => engine.hub.renameRepo('old/name', 'new/name')

/** Checks that the model is served from disk without a request. */
async function expectWarm(name: string, options: Partial<CacheOptions> = {}): Promise<CachedModel> {
  engine.hub.clearRequests()
  const model = await engine.open(options).get(name)
  expect(model.tier).toBe('disk')
  expect(await contentsOf(model)).toEqual(CONTENTS)
  expect(engine.hub.requests).toEqual([])
  return model
}

/** Checks that there is one record and one folder, and that all names refer to it. */
async function expectOneEntry(id = 'new/name', names = ['old/name', 'new/name']): Promise<void> {
  expect((await engine.open().list()).map(({ repo }) => repo)).toEqual([id])
  expect(await readdir(engine.inCache('hub'))).toEqual([`models--${id.replace('/', '--')}`])
  for (const name of names) {
    expect(await expectWarm(name)).toMatchObject({ repo: id, commit: repository.commit })
    await expectWarm(name, { offline: true })
    expect(await engine.open().has(name)).toBe(true)
  }
  expect(await engine.open().statistics()).toMatchObject({ entries: 1, size: BYTES })
  const scanned = await scanCacheDir(engine.inCache('hub'))
  expect(scanned.warnings).toEqual([])
  expect(scanned.repos).toMatchObject([{ id: { name: id }, size: BYTES }])
  expect(engine.warnings).toEqual([])
}

/** Sets the age of all stored answers to `ms` milliseconds. */
async function age(ms: number): Promise<void> {
  const then = (Date.now() - ms) / 1000
  for (const path of await engine.listing('origins')) await utimes(engine.inCache('origins', path), then, then)
}

describe('a renamed repo', () => {
  test.each([
    ['old/name', 'new/name'],
    ['new/name', 'old/name'],
  ])('is downloaded once when it is asked for as %s and then as %s', async (first, second) => {
    rename()
    expect((await engine.open().get(first)).downloadedBytes).toBe(BYTES)
    expect((await engine.open().get(second)).downloadedBytes).toBe(0)
    expect(engine.fileBytes).toBe(BYTES)
    await expectOneEntry()
  })

  test('is downloaded once for concurrent requests with both names', async () => {
    rename()
    const names = Array.from({ length: 12 }, (_, index) => (index % 2 === 0 ? 'old/name' : 'new/name'))
    const models = await Promise.all(names.map((name) => engine.open().get(name)))
    expect(models.filter(({ tier }) => tier === 'hub')).toHaveLength(1)
    expect(engine.fileBytes).toBe(BYTES)
    await expectOneEntry()
  })

  test('that is renamed again is found by each of its names', async () => {
    rename()
    await engine.open().get('old/name')
    engine.hub.renameRepo('new/name', 'newest/name')
    await age(8 * DAY_MS)
    expect((await engine.open().get('new/name')).downloadedBytes).toBe(0)
    await expectWarm('old/name', { offline: true })
    expect((await engine.open().get('old/name')).downloadedBytes).toBe(0)
    await expectOneEntry('newest/name', ['old/name', 'new/name', 'newest/name'])
  })

  test('that gets its first name back is found by both names', async () => {
    rename()
    await engine.open().get('old/name')
    engine.hub.renameRepo('new/name', 'old/name')
    await age(8 * DAY_MS)
    await engine.open().get('new/name')
    await engine.open().get('old/name')
    expect(engine.fileBytes).toBe(BYTES)
    await expectOneEntry('old/name')
  })

  test('is found by a commit, a tag and a pull request of its old name', async () => {
    repository.tag('v1.0')
    repository.branch('refs/pr/1')
    rename()
    for (const revision of [repository.commit, 'v1.0', 'refs/pr/1']) {
      const { downloadedBytes } = await engine.open().get(`old/name@${revision}`)
      expect(downloadedBytes).toBe(revision === repository.commit ? BYTES : 0)
      await expectWarm(`old/name@${revision}`)
      await expectWarm(`new/name@${revision}`)
    }
  })

  test('is found in the manifest by each of its names', async () => {
    rename()
    const main = engine.open()
    const manifest = await main.manifest(await main.warm(['old/name', 'new/name']))
    await rm(engine.inCache('cache_metadata.json'))
    await rm(engine.inCache('origins'), { recursive: true })
    await rm(engine.inCache('hub/models--new--name/refs'), { recursive: true })
    for (const name of ['old/name', 'new/name'])
      expect(await expectWarm(name, { manifest })).toMatchObject({ repo: 'new/name', warmedInThisRun: true })
  })

  test('has one count of its uses under all names', async () => {
    rename()
    const cache = engine.open()
    await cache.get('old/name')
    const requests = await Promise.all(
      ['old/name', 'new/name'].map(async (name) => {
        const { files, ...cached } = await cache.get(name)
        const unused = { at: 0, restoreMs: null, loadMs: null, selection: '{}' }
        return { ...cached, ...unused, files: [...files].map(([path, size]): [string, number] => [path, size]) }
      }),
    )
    await cache.recordUses(requests)
    expect(await engine.open().list()).toMatchObject([{ repo: 'new/name', hits: 2 }])
  })

  test.each(['old/name', 'new/name'])('can be removed as %s', async (name) => {
    rename()
    await engine.open().get('old/name')
    expect((await engine.open().remove(name)).freedBytes).toBe(BYTES)
    expect(await engine.open().list()).toEqual([])
    expect(await readdir(engine.inCache('hub'))).toEqual([])
    expect((await engine.open().get('old/name')).downloadedBytes).toBe(BYTES)
  })

  test('is asked for again when its stored rename is damaged', async () => {
    rename()
    await engine.open().get('old/name')
    const renames = engine.inOrigin('renames')
    const paths = await engine.listing(renames)
    expect(paths).toHaveLength(1)
    for (const path of paths) await writeFile(engine.inCache(renames, path), '../../etc')
    expect((await engine.open().get('old/name')).downloadedBytes).toBe(0)
    await expectOneEntry()
  })

  test('is served by its old name also when the Hub does not answer', async () => {
    rename()
    await engine.open().get('old/name')
    await age(8 * DAY_MS)
    engine.hub.fault({}, { status: 503, retryAfter: 0 })
    const model = await engine.open().get('old/name')
    expect(await contentsOf(model)).toEqual(CONTENTS)
    expect(engine.warnings).toEqual([expect.stringMatching(/^old\/name: .*503/)])
  })
})

describe('a repo that was renamed after it was cached', () => {
  test.each(['old/name', 'new/name'])('is moved and not downloaded again when it is asked for as %s', async (name) => {
    await engine.open().warm([{ repo: 'old/name', pin: true }])
    await engine.setRecord('old/name', { hits: 7 })
    rename()
    await age(8 * DAY_MS)
    expect((await engine.open().get(name)).downloadedBytes).toBe(0)
    await engine.open().get('old/name')
    expect(await engine.open().list()).toMatchObject([{ repo: 'new/name', hits: 7, pinned: true }])
    expect(engine.fileBytes).toBe(BYTES)
    await expectOneEntry()
  })

  test('is moved with all its commits', async () => {
    await engine.open().get('old/name')
    repository.addCommit({ files: { 'more.txt': 'more' } })
    await age(8 * DAY_MS)
    await engine.open().get('old/name')
    rename()
    await engine.open().get('new/name')
    expect((await engine.open().list()).map(({ repo }) => repo)).toEqual(['new/name', 'new/name'])
    expect(engine.fileBytes).toBe(BYTES + 4)
  })

  test('is not moved while a run uses it', async () => {
    const run = engine.open({ run: { id: 'live', pid: process.pid } })
    const used = await run.get('old/name')
    rename()
    await age(8 * DAY_MS)
    expect(await engine.open().get('old/name')).toMatchObject({ repo: 'old/name', downloadedBytes: 0 })
    expect(await contentsOf(used)).toEqual(CONTENTS)
    await run.endRun()
    await age(8 * DAY_MS)
    await engine.open().get('old/name')
    expect(engine.fileBytes).toBe(BYTES)
    await expectOneEntry()
  })

  test('is served by its old name without a request as long as the stored answer is fresh', async () => {
    await engine.open().get('old/name')
    rename()
    expect(await expectWarm('old/name')).toMatchObject({ repo: 'old/name' })
  })
})

describe('the old name of a renamed repo', () => {
  const OTHER = { 'config.json': '{"other":true}' }

  test('refers to a new repo that got this name, and the renamed one stays', async () => {
    rename()
    await engine.open().get('old/name')
    engine.hub.addRepo('old/name', { files: OTHER })
    await age(8 * DAY_MS)
    expect(await contentsOf(await engine.open().get('old/name'))).toEqual(OTHER)
    await engine.open().get('new/name')
    expect(await contentsOf(await expectWarm('new/name'))).toEqual(CONTENTS)
    expect((await engine.open().list()).map(({ repo }) => repo)).toEqual(['new/name', 'old/name'])
  })

  test('refers to a new repo also when both have the same commit', async () => {
    rename()
    // The loopback Hub computes a commit's id from name and contents.
    const twin = engine.hub.addRepo('old/name', { files: FILES })
    expect(twin.commit).toBe(repository.commit)
    await engine.open().get('old/name')
    await engine.open().get('new/name')
    expect((await engine.open().list()).map(({ repo }) => repo)).toEqual(['new/name', 'old/name'])
    expect(await expectWarm('old/name')).toMatchObject({ repo: 'old/name' })
  })
})

describe('a name that differs in case', () => {
  test.each([
    ['Old/Name', 'old/name'],
    ['old/name', 'Old/Name'],
  ])('refers to the repo to which the Hub redirects: %s and then %s', async (first, second) => {
    // The Hub redirects every spelling to the repo's id.
    engine.hub.renameRepo('old/name', 'Old/Name')
    await engine.open().get(first)
    await engine.open().get(second)
    expect(engine.fileBytes).toBe(BYTES)
    await expectOneEntry('Old/Name', ['Old/Name', 'old/name'])
  })

  test('is downloaded once for concurrent requests with both spellings', async () => {
    engine.hub.renameRepo('old/name', 'OLD/name')
    const names = Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? 'old/name' : 'OLD/name'))
    await Promise.all(names.map((name) => engine.open().get(name)))
    expect(engine.fileBytes).toBe(BYTES)
    await expectOneEntry('OLD/name', ['OLD/name', 'old/name'])
  })

  test('can become the id of a repo that is cached', async () => {
    await engine.open().get('old/name')
    engine.hub.renameRepo('old/name', 'old/Name')
    expect((await engine.open().get('old/Name')).downloadedBytes).toBe(0)
    await expectOneEntry('old/Name', ['old/Name', 'old/name'])
    expect(await readdir(join(engine.cacheDir, 'incoming'))).toEqual([])
  })
})
