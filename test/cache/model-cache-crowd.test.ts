import { lutimes, symlink, writeFile } from 'node:fs/promises'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { contentsOf, Engine, filesOf, mostAtOnce, pathsOf, refusalOf } from '../support/engine.ts'

const WEIGHTS = Buffer.alloc(300_000, 'weights')
const FILES = { 'a.json': '{"a":1}', 'b.txt': 'a note', 'weights.bin': WEIGHTS }
const CONTENTS = { ...FILES, 'weights.bin': WEIGHTS.toString('latin1') }
const TOTAL = WEIGHTS.length + FILES['a.json'].length + FILES['b.txt'].length

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
})

describe('many concurrent requests for one model that is not cached', () => {
  test.each([
    ['by one cache', 1],
    ['by eight caches', 8],
  ])('%s in one process cause one download', async (_, count) => {
    engine.hub.addRepo('org/name', { files: FILES })
    // The latency makes sure that no request ends before all have begun.
    engine.hub.throttle({ latencyMs: 30 })
    const caches = Array.from({ length: count }, () => engine.open())
    const models = await Promise.all(
      Array.from({ length: 8 }, (_, index) => (caches[index % count] ?? engine.open()).get('org/name')),
    )
    expect(engine.fileBytes).toBe(TOTAL)
    expect(engine.hub.requests.filter(({ kind }) => kind === 'api')).toHaveLength(2)
    expect(models.map(({ tier }) => tier).sort()).toEqual([...Array(7).fill('disk'), 'hub'])
    for (const model of models) expect(await contentsOf(model)).toEqual(CONTENTS)
    expect(await engine.open().list()).toHaveLength(1)
    expect(await engine.listing('incoming')).toEqual([])
  })

  test('with different selections cause one download of each file', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    engine.hub.throttle({ latencyMs: 30 })
    const specs = ['org/name', filesOf('org/name', '*.bin'), filesOf('org/name', '*.json', '*.bin'), 'org/name@main']
    const models = await Promise.all(specs.map((spec) => engine.open().get(spec)))
    expect(engine.filesAsked.sort()).toEqual(Object.keys(FILES))
    expect(models.map(pathsOf)).toEqual([
      Object.keys(FILES),
      ['weights.bin'],
      ['a.json', 'weights.bin'],
      Object.keys(FILES),
    ])
  })

  test('continue when the downloading process is killed, and download no complete file again', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    engine.hub.fault({ origin: 'cdn' }, { stallAfter: 100_000 }, { times: 1 })
    const first = await engine.spawn({ concurrency: 1 })
    void first.begin('get', ['org/name'])
    // Files are downloaded one at a time in the order of the listing, so all others are complete by then.
    await engine.hub.waitForRequest({ origin: 'cdn', file: 'weights.bin' })
    const second = engine.open().get('org/name')
    await first.kill()
    const model = await second
    expect(await contentsOf(model)).toEqual(CONTENTS)
    expect(engine.filesAsked).toEqual(['a.json', 'b.txt', 'weights.bin', 'weights.bin'])
    expect(await engine.open().list()).toHaveLength(1)
    expect((await engine.listing('incoming')).filter((path) => path.includes('lock'))).toEqual([])
  })

  test('remove the leftovers of a killed download after a day', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    engine.hub.fault({ origin: 'cdn' }, { stallAfter: 100_000 }, { times: 1 })
    const first = await engine.spawn({ concurrency: 1 })
    void first.begin('get', ['org/name'])
    await engine.hub.waitForRequest({ origin: 'cdn', file: 'weights.bin' })
    await first.kill()
    // When a process is killed at other instants, it leaves files that it was about to rename.
    await writeFile(engine.inCache('incoming', 'main.7-0123456789ab.tmp'), '')
    await symlink('../../blobs/none', engine.inCache('incoming', 'a.json.7-0123456789ab.tmp'))
    await writeFile(engine.inCache('cache_metadata.json.7-0123456789ab.tmp'), '[')
    const left = (await engine.listing()).filter((path) => /^incoming|tmp$/.test(path))
    const longAgo = Date.now() / 1000 - 2 * 86_400
    for (const path of left) await lutimes(engine.inCache(path), longAgo, longAgo)
    await engine.open().get('org/name')
    expect((await engine.listing()).filter((path) => left.includes(path))).toEqual([])
    expect(await engine.listing('incoming')).toEqual([])
  })

  test('can be aborted one by one', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    const mend = engine.hub.fault({ origin: 'cdn' }, { stallAfter: 100_000 }, { times: 1 })
    const first = new AbortController()
    const second = new AbortController()
    const [downloading, waiting] = [first, second].map(({ signal }) => engine.open().get('org/name', { signal }))
    await engine.hub.waitForRequest({ origin: 'cdn' })
    second.abort(new Error('Tired of waiting'))
    await expect(waiting).rejects.toThrow('Tired of waiting')
    first.abort(new Error('Enough'))
    await expect(downloading).rejects.toThrow('Enough')
    mend()
    expect(await contentsOf(await engine.open().get('org/name'))).toEqual(CONTENTS)
  })
})

describe('a failed file', () => {
  test.each([
    ['an error of the server', { status: 500, retryAfter: 0 }, 'HUB_ERROR', 5],
    ['no such file', { status: 404, headers: { 'X-Error-Code': 'EntryNotFound' } }, 'FILE_NOT_FOUND', 1],
    ['a gated repo', { status: 403, headers: { 'X-Error-Code': 'GatedRepo' } }, 'GATED', 1],
  ])('with %s ends the other downloads, and complete files stay', async (_, fault, code, tries) => {
    const files = { 'a.txt': 'a', 'b.bin': WEIGHTS, 'c.txt': 'c', 'd.txt': 'd' }
    engine.hub.addRepo('org/name', { files })
    const mends = [
      engine.hub.fault({ origin: 'cdn', file: 'b.bin' }, { stallAfter: 100_000 }),
      engine.hub.fault({ kind: 'resolve', file: 'c.txt' }, fault),
      engine.hub.fault({ kind: 'resolve', file: 'c.txt' }, { delayMs: 50 }, { times: 1 }),
    ]
    // Two downloads run at a time: `a` is complete, `b` hangs, `c` fails, `d` has not begun.
    const refusal = await refusalOf(engine.open({ concurrency: 2 }).get('org/name'))
    const sent = engine.filesAsked.sort()
    expect(refusal).toMatchObject({ code, asked: 'File c.txt of org/name' })
    await engine.hub.idle()
    expect(sent).toEqual(['a.txt', 'b.bin', ...Array(tries).fill('c.txt')])
    expect((await engine.open().list()).map((entry) => [...entry.files.keys()])).toEqual([['a.txt']])
    expect((await engine.open().statistics()).size).toBe(1)
    expect(await engine.listing('incoming')).toEqual([])
    for (const mend of mends) mend()
    expect(engine.filesAsked.sort()).toEqual(sent)

    engine.hub.clearRequests()
    expect(pathsOf(await engine.open().get('org/name'))).toEqual(Object.keys(files))
    expect(engine.filesAsked.sort()).toEqual(['b.bin', 'c.txt', 'd.txt'])
  })

  test('does not make another model fail', async () => {
    engine.hub.addRepo('org/bad', { files: FILES })
    engine.hub.addRepo('org/good', { files: FILES })
    engine.hub.fault({ repo: 'org/bad', kind: 'resolve', file: 'a.json' }, { status: 500, retryAfter: 0 })
    const cache = engine.open({ concurrency: 1 })
    const [bad, good] = await Promise.all([refusalOf(cache.get('org/bad')), cache.get('org/good')])
    expect(bad.code).toBe('HUB_ERROR')
    expect(await contentsOf(good)).toEqual(CONTENTS)
  })
})

describe('hub.concurrency', () => {
  test.each([1, 3])('of %i limits the downloads of all models of a cache together', async (concurrency) => {
    const names = ['org/one', 'org/two', 'org/three']
    for (const name of names) {
      const files = Array.from({ length: 4 }, (_, index) => [`${index}.txt`, `${name} ${index}`])
      engine.hub.addRepo(name, { files: Object.fromEntries(files) })
    }
    // Each request takes some time, so that the limit is reached.
    engine.hub.throttle({ latencyMs: 25 })
    const cache = engine.open({ concurrency })
    await Promise.all(names.map((name) => cache.get(name)))
    const downloads = engine.hub.requests.filter(({ kind }) => kind === 'resolve')
    expect(downloads).toHaveLength(12)
    expect(mostAtOnce(downloads)).toBe(concurrency)
  })
})

describe('a commit that is removed while another commit of its repo is downloaded', () => {
  test('takes no files from it', async () => {
    const repository = engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get('org/name')
    const commit = repository.addCommit({ files: { 'b.txt': 'another' }, branch: 'dev' })
    // The new commit uses the weights that are cached, and waits for a file while the old commit is removed.
    const mend = engine.hub.fault({ kind: 'resolve', file: 'b.txt' }, { delayMs: 150 })
    const coming = engine.open().get('org/name@dev')
    await engine.hub.waitForRequest(({ kind, revision }) => kind === 'resolve' && revision === commit)
    await engine.open().remove('org/name')
    mend()
    const model = await coming
    expect(await contentsOf(model)).toEqual({ ...CONTENTS, 'b.txt': 'another' })
    expect(await engine.open().has('org/name@dev')).toBe(true)
  })
})
