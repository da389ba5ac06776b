import { randomBytes } from 'node:crypto'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { makeRoom } from '../../src/cache/upkeep/make-room.ts'
import type { Digest } from '../../src/model/digest.ts'
import { parseModel } from '../../src/model/model.ts'
import { Engine, refusalOf } from '../support/engine.ts'

const KILOBYTE = 1024

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  for (const name of ['one', 'two', 'three'])
    engine.hub.addRepo(`org/${name}`, { files: { 'weights.bin': randomBytes(100 * KILOBYTE) } })
})

async function cached(): Promise<string[]> {
  return (await engine.open().list()).map(({ repo }) => repo)
}

test('before a download, the least recently used model is evicted, and no more than needed', async () => {
  const maxSize = 250 * KILOBYTE
  await engine.open({ maxSize }).get('org/one')
  await engine.open({ maxSize }).get('org/two')
  await engine.setRecord('org/one', { lastAccessDate: '2026-01-01T00:00:00.000Z' })
  await engine.open({ maxSize }).get('org/three')
  expect(await cached()).toEqual(['org/three', 'org/two'])
  expect(engine.warnings).toEqual([])
})

test('a model that a live run uses is kept even if the cache then exceeds its limit, with one warning', async () => {
  const maxSize = 150 * KILOBYTE
  await engine.open({ maxSize, run: { id: 'live', pid: process.pid } }).get('org/one')
  const cache = engine.open({ maxSize })
  await cache.get('org/two')
  expect(await cached()).toEqual(['org/one', 'org/two'])
  expect(engine.warnings).toEqual([expect.stringContaining('exceeds its limit of 150 KiB')])
})

test('a new commit needs no room for files that it shares with a cached commit', async () => {
  const maxSize = 250 * KILOBYTE
  const files = { 'config.json': '{}', 'weights.bin': randomBytes(100 * KILOBYTE) }
  const repository = engine.hub.addRepo('org/moving', { files })
  await engine.open({ maxSize }).get('org/one')
  await engine.open({ maxSize }).get('org/moving')
  repository.addCommit({ files: { 'config.json': '{"new":true}' }, branch: 'dev' })
  await engine.open({ maxSize, onTooLarge: 'error' }).get('org/moving@dev')
  expect(await cached()).toEqual(['org/moving', 'org/moving', 'org/one'])
  expect(engine.warnings).toEqual([])
})

test('a model that is larger than the limit is served, and removed at the end of the run', async () => {
  const cache = engine.open({ maxSize: 50 * KILOBYTE, run: { id: 'run', pid: process.pid } })
  expect((await cache.get('org/one')).tier).toBe('hub')
  expect(engine.warnings).toEqual([expect.stringMatching(/org\/one is larger .*Set `maxSize`.* more than 100 KiB/)])
  await cache.maintain()
  expect(await cached()).toEqual(['org/one'])
  await cache.maintain({ isOver: true })
  expect(await cached()).toEqual([])
})

test('a model that is larger than the limit is refused before its download with onTooLarge "error"', async () => {
  const refusal = await refusalOf(engine.open({ maxSize: 50 * KILOBYTE, onTooLarge: 'error' }).get('org/one'))
  expect(refusal).toMatchObject({ code: 'TOO_LARGE', reason: expect.stringContaining('100 KiB') })
  expect(engine.filesAsked).toEqual([])
})

test('a model that untouched code requests file by file is refused once its files exceed the limit', async () => {
  const files = { 'a.bin': randomBytes(30 * KILOBYTE), 'b.bin': randomBytes(30 * KILOBYTE) }
  engine.hub.addRepo('org/parts', { files })
  const of = { repo: parseModel('org/parts').repo, revision: 'main' }
  const options = { maxSize: 50 * KILOBYTE, onTooLarge: 'error' } as const
  const cache = engine.open(options)
  await cache.file(of, 'a.bin')
  for (const _ of [1, 2])
    expect(await refusalOf(cache.file(of, 'b.bin'))).toMatchObject({
      code: 'TOO_LARGE',
      reason: expect.stringContaining('60 KiB'),
    })
  // The next run is refused the file as well, until the first file is removed.
  const next = engine.open(options)
  expect(await refusalOf(next.file(of, 'b.bin'))).toMatchObject({ code: 'TOO_LARGE' })
  expect(engine.filesAsked).toEqual(['a.bin'])
  await next.remove('org/parts')
  await next.file(of, 'b.bin')
})

test('two downloads that evict models at the same time do not deadlock', async () => {
  const maxSize = 150 * KILOBYTE
  await engine.open({ maxSize }).get('org/one')
  await Promise.all(['org/two', 'org/three'].map((name) => engine.open({ maxSize }).get(name)))
  expect(await cached()).not.toContain('org/one')
})

test('a model is refused if the disk has no room for it', async () => {
  const cache = engine.open({ maxSize: Number.POSITIVE_INFINITY })
  await cache.get('org/one')
  const missing = new Map<Digest, number>([[`sha1:${'0'.repeat(40)}`, 2 ** 60]])
  const refusal = await refusalOf(makeRoom(cache.context, parseModel('org/two'), missing))
  expect(refusal).toMatchObject({ code: 'CACHE_UNUSABLE', reason: expect.stringMatching(/the disk of .* has .* left/) })
})
