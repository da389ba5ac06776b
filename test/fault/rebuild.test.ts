import { rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { contentsOf, Engine, pathsOf } from '../support/engine.ts'

const FILES = { 'config.json': '{}', 'deep/weights.bin': 'weights', 'ünï.txt': 'unicode' }

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  const repository = engine.hub.addRepo('org/name', { files: FILES })
  repository.branch('feat/x')
  engine.hub.addRepo('gpt2', { files: { 'config.json': '{"old":true}' } })
  await engine.open().warm(['org/name', 'org/name@feat/x', 'gpt2'])
  engine.hub.clearRequests()
})

const metadata = () => engine.inCache('cache_metadata.json')

describe.each([
  ['missing', () => rm(metadata())],
  ['empty', () => writeFile(metadata(), '')],
  ['truncated', () => writeFile(metadata(), '[{"repo": "org/na')],
  ['not a list', () => writeFile(metadata(), '{"repo":"org/name"}')],
])('metadata that is %s', (_, spoil) => {
  test('is rebuilt from the downloaded files, with one warning', async () => {
    await spoil()
    const cache = engine.open()
    expect((await cache.list()).map(({ repo, revision }) => [repo, revision]).sort()).toEqual([
      ['gpt2', 'main'],
      ['org/name', 'main'],
    ])
    const { size, entries } = await cache.statistics()
    expect([size, entries]).toEqual([Object.values(FILES).join('').length + '{"old":true}'.length, 2])
    expect(engine.warnings).toEqual([expect.stringContaining('2 models were found')])
  })

  test('loses no model: each is verified and served without the network', async () => {
    await spoil()
    const cache = engine.open()
    const model = await cache.get('org/name')
    expect(model.tier).toBe('disk')
    expect(await contentsOf(model)).toEqual(FILES)
    expect((await cache.get('gpt2')).tier).toBe('disk')
    expect(engine.hub.requests).toEqual([])
    expect(await engine.records()).toHaveLength(2)
    expect((await engine.open().get('org/name')).tier).toBe('disk')
  })
})

test('a rebuilt entry has the dates of its files, so that it does not expire', async () => {
  await rm(metadata())
  const [entry] = await engine.open().list()
  expect(Date.now() - Date.parse(entry?.lastAccessDate ?? '')).toBeLessThan(60_000)
})

test('a file that changed before the metadata was rebuilt is repaired', async () => {
  await rm(metadata())
  const model = engine.inCache('hub/models--gpt2/blobs')
  const [blob] = await engine.listing('hub/models--gpt2/blobs')
  await rm(`${model}/${blob}`)
  await writeFile(`${model}/${blob}`, '{"bad":true}')
  await utimes(`${model}/${blob}`, 1_700_000_000, 1_700_000_000)
  expect(await contentsOf(await engine.open().get('gpt2'))).toEqual({ 'config.json': '{"old":true}' })
  expect(engine.filesAsked).toEqual(['config.json'])
})

test('a file without a valid name is left out of the rebuilt metadata, and no other file is', async () => {
  await writeFile(engine.inCache('hub/models--gpt2/refs/.strange'), 'x')
  const { commit } = (await engine.open().list()).find(({ repo }) => repo === 'gpt2') ?? { commit: '' }
  const [blob] = await engine.listing('hub/models--gpt2/blobs')
  await symlink(`../../blobs/${blob}`, engine.inCache('hub/models--gpt2/snapshots', commit, 'back\\slash'))
  await rm(metadata())
  const found = await engine.open().list()
  expect(found.map(({ repo }) => repo).sort()).toEqual(['gpt2', 'org/name'])
  expect(found.find(({ repo }) => repo === 'gpt2')?.files.size).toBe(1)
})

test('part of a model that is served offline without its listing does not count as the whole model', async () => {
  engine.hub.addRepo('org/part', { files: FILES })
  await engine.open().get({ repo: 'org/part', files: ['config.json'] })
  await rm(engine.inCache(engine.inOrigin('models--org--part/trees')), { recursive: true })
  expect(pathsOf(await engine.open({ offline: true }).get('org/part'))).toEqual(['config.json'])
  expect(await contentsOf(await engine.open().get('org/part'))).toEqual(FILES)
})
