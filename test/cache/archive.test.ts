import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { snapshotDownload } from '@huggingface/hub'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { hasZstd } from '../../src/cache/archive/compression.ts'
import type { CacheOptions, ModelCache } from '../../src/cache/index.ts'
import { printLockFile } from '../../src/model/lock-file.ts'
import { toModel } from '../../src/model/model.ts'
import { membersOf } from '../support/archives.ts'
import { contentsOf, Engine, filesOf, gitSha1, refusalOf, sha256 } from '../support/engine.ts'
import type { Repository } from '../support/hub/index.ts'

const WEIGHTS = 'weights'.repeat(2_000)
const FILES = { 'config.json': '{"version":1}', 'weights.bin': WEIGHTS, 'other.bin': 'not asked for' }
const WANTED = filesOf('org/name', 'config.json', 'weights.bin')
const NAME = toModel('org/name')

let engine: Engine
let repository: Repository

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  repository = engine.hub.addRepo('org/name', { files: FILES })
})

const inFolder = (name: string) => join(engine.folder, name)

/** The cache of the machine without network. */
function openB(options: Partial<CacheOptions> = {}): ModelCache {
  return engine.open({ cacheDir: inFolder('b'), offline: true, ...options })
}

/** Downloads the model on machine A, and exports all that A has. */
async function exportAll(name = 'models.tar'): Promise<string> {
  const a = engine.open()
  await a.get(WANTED)
  await a.exportTo(inFolder(name))
  return inFolder(name)
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name)
}

describe('an imported model', () => {
  test('is served offline as on the machine that exported it: files, selections, absent files, names, API', async () => {
    const request = { method: 'GET', address: '/api/models/org/name/revision/main?expand=sha' } as const
    engine.hub.renameRepo('org/name', 'org/renamed')
    const a = engine.open()
    const { commit, repo } = await a.get(WANTED)
    expect(repo).toBe('org/renamed')
    const answer = await a.apiAnswer({ ...NAME, repo }, request)
    const { entries, archiveBytes } = await a.exportTo(inFolder('models.tar.gz'))
    expect(entries).toMatchObject([{ repo, commit }])
    expect(archiveBytes).toBe((await stat(inFolder('models.tar.gz'))).size)
    expect(await openB().importFrom(inFolder('models.tar.gz'))).toMatchObject({
      models: [{ archived: { repo }, addedFiles: 2 }],
      bytes: WEIGHTS.length + 13,
    })
    engine.hub.clearRequests()

    const b = openB()
    const model = await b.get(WANTED)
    expect(model).toMatchObject({ tier: 'disk', commit })
    expect(await contentsOf(model)).toEqual({ 'config.json': '{"version":1}', 'weights.bin': WEIGHTS })
    for (const name of [`org/renamed@${commit}`, 'org/renamed'])
      expect(await b.get(filesOf(name, 'config.json'))).toMatchObject({ tier: 'disk', commit })
    // The list of all files came along.
    expect(await b.describe(NAME, 'other.bin')).toMatchObject({ size: 13, access: 'public' })
    expect(await refusalOf(b.file(NAME, 'none.json'))).toMatchObject({ code: 'FILE_NOT_FOUND' })
    expect(await refusalOf(b.file(NAME, 'other.bin'))).toMatchObject({ code: 'OFFLINE' })
    expect(await b.apiAnswer({ ...NAME, repo }, request)).toEqual(answer)
    expect((await b.verify()).problems).toEqual([])
    // Offline nothing expires, whatever its age.
    expect((await openB({ maxAge: 0 }).maintain()).entries).toEqual([])

    // The metadata is lost: the files are verified, and served.
    await rm(inFolder('b/cache_metadata.json'))
    expect(await openB().get(WANTED)).toMatchObject({ tier: 'disk' })
    expect(await openB().accessOf(NAME)).toBe('public')
    expect(engine.hub.requests).toEqual([])
    await openB().remove('org/renamed')
    const left = await filesBelow(inFolder('b/origins'))
    expect(left.filter((name) => name !== 'endpoint' && !name.startsWith('org'))).toEqual([])
  })

  test('is no answer of its endpoint: online the Hub is asked, and nothing is downloaded again if it states the same', async () => {
    const file = await exportAll()
    await openB().importFrom(file)
    const [imported] = await openB().list()
    expect(imported).toMatchObject({ endpoint: undefined, access: 'public', pinned: false, hits: 0 })
    engine.hub.clearRequests()
    expect(await openB({ offline: false }).get(WANTED)).toMatchObject({ tier: 'disk' })
    expect(engine.filesAsked).toEqual([])
    expect(engine.hub.requests.length).toBeGreaterThan(0)
    expect(await openB().list()).toMatchObject([{ endpoint: engine.hub.url }])
    expect(await openB().get(WANTED)).toMatchObject({ tier: 'disk' })
    // A second import keeps what the endpoint stated.
    expect(await openB().importFrom(file)).toMatchObject({ models: [{ addedFiles: 0 }] })
    expect(await openB().list()).toMatchObject([{ endpoint: engine.hub.url, selections: [{}] }])
  })

  test('of a private repo is served offline, and online only to who has the token', async () => {
    const hub = await Engine.start(onTestFinished, { token: 'hf_secret' })
    hub.hub.addRepo('org/private', { files: FILES, private: true })
    const withToken = { HF_TOKEN: 'hf_secret', HF_HOME: hub.folder, HF_ENDPOINT: hub.hub.url }
    const a = hub.open({ env: withToken, hub: { endpoint: hub.hub.url, concurrency: 8, token: 'hf_secret' } })
    await a.get('org/private')
    await a.exportTo(join(hub.folder, 'private.tar'))
    const b = (options: Partial<CacheOptions>) => hub.open({ cacheDir: join(hub.folder, 'b'), ...options })
    await b({}).importFrom(join(hub.folder, 'private.tar'))
    expect(await b({ offline: true }).get('org/private')).toMatchObject({ tier: 'disk' })
    expect(await b({ offline: true }).accessOf(toModel('org/private'))).toBe('private')
    expect(await refusalOf(b({}).get('org/private'))).toMatchObject({ code: 'MODEL_NOT_FOUND' })
  })

  test('is served for each endpoint offline, by branch, tag and commit, and while the Hub is down', async () => {
    repository.tag('v1')
    const a = engine.open()
    const { commit } = await a.get(WANTED)
    await a.get(filesOf('org/name@v1', 'config.json'))
    await a.exportTo(inFolder('models.tar'))
    await openB().importFrom(inFolder('models.tar'))
    engine.hub.clearRequests()
    for (const endpoint of [engine.hub.url, 'https://mirror.example'])
      for (const revision of ['main', 'v1', commit]) {
        const b = openB({ hub: { endpoint, concurrency: 8 } })
        expect(await b.get(filesOf(`org/name@${revision}`, 'config.json'))).toMatchObject({ tier: 'disk', commit })
        const named = { ...NAME, revision }
        expect(await b.describe(named, 'other.bin')).toMatchObject({ size: 13 })
        expect(await refusalOf(b.file(named, 'none.json'))).toMatchObject({ code: 'FILE_NOT_FOUND' })
      }
    expect(engine.hub.requests).toEqual([])
    await engine.hub.stopListening()
    const down = openB({ offline: false })
    expect(await down.get(WANTED)).toMatchObject({ tier: 'disk', commit })
    expect(engine.warnings.join()).toContain('the Hub could not be asked')
  })

  test('is added to files that another tool has downloaded, and takes none from an entry of the Hub', async () => {
    const file = await exportAll()
    const folder = inFolder('b/hub')
    await openB().prepare()
    await snapshotDownload({ repo: 'org/name', revision: repository.commit, cacheDir: folder, hubUrl: engine.hub.url })
    await openB().importFrom(file)
    expect(await openB().list()).toMatchObject([{ endpoint: undefined, access: 'public' }])
    expect([...((await openB().list())[0]?.files.keys() ?? [])].sort()).toEqual(Object.keys(FILES).sort())
    expect(await openB().get(WANTED)).toMatchObject({ tier: 'disk' })

    const c = (options: Partial<CacheOptions> = {}) => engine.open({ cacheDir: inFolder('c'), ...options })
    await c().get('org/name')
    await c().recordUses([])
    const before = await c().list()
    await c().importFrom(file)
    const [after] = await c().list()
    expect(after).toMatchObject({ endpoint: engine.hub.url, hits: before[0]?.hits, cachedDate: before[0]?.cachedDate })
    expect(after?.files).toEqual(before[0]?.files)
    expect(after?.selections).toEqual(expect.arrayContaining(before[0]?.selections ?? []))
    expect(await c({ offline: true }).get('org/name')).toMatchObject({ tier: 'disk' })
  })

  test('at a newer commit replaces what an older archive said about the branch', async () => {
    const old = await exportAll('old.tar')
    repository.addCommit({ files: { 'config.json': '{"version":2}' } })
    const a = engine.open({ maxAge: 0 })
    await a.get(WANTED)
    const [newer] = (await a.list()).filter(({ commit }) => commit === repository.commit)
    await a.exportTo(inFolder('new.tar'), newer && [newer])
    for (const file of [old, inFolder('new.tar'), old]) await openB().importFrom(file)
    expect(await openB().get(WANTED)).toMatchObject({ tier: 'disk', commit: repository.commit })
    expect(await openB().list()).toHaveLength(2)
  })

  test('is used with the lock file of a project, and refused if that states other files', async () => {
    const a = engine.open()
    const locked = await a.state(NAME)
    const lockfile = inFolder('models.lock.json')
    await writeFile(lockfile, printLockFile({ models: [locked] }))
    // The Hub's API was never asked: only the lock file knows the commit.
    const c = engine.open({ cacheDir: inFolder('c'), lockfile })
    await c.get(WANTED)
    await c.exportTo(inFolder('locked.tar'))
    await openB().importFrom(inFolder('locked.tar'))
    engine.hub.clearRequests()
    expect(await openB().get(WANTED)).toMatchObject({ tier: 'disk', commit: locked.commit })
    expect(await openB({ offline: false, lockfile, frozen: true }).get(WANTED)).toMatchObject({ tier: 'disk' })
    expect(engine.hub.requests).toEqual([])

    const wrong = new Map(locked.files).set([...locked.files.keys()][0] as never, {
      size: 1,
      digest: `sha1:${'0'.repeat(40)}`,
      gitId: '',
    })
    await writeFile(lockfile, printLockFile({ models: [{ ...locked, files: wrong }] }))
    const refusal = await refusalOf(openB({ cacheDir: inFolder('d'), lockfile }).importFrom(inFolder('locked.tar')))
    expect(refusal).toMatchObject({ code: 'LOCK_MISMATCH', message: expect.stringContaining('locked.tar') })
    expect(await filesBelow(inFolder('d'))).toEqual([])
  })

  test('can be exported again, and is the same there', async () => {
    const file = await exportAll()
    await openB().importFrom(file)
    await openB().exportTo(inFolder('again.tar'))
    expect(await readFile(inFolder('again.tar'))).toEqual(await readFile(file))
  })
})

describe('an archive', () => {
  test('is a tar with each content once, in the compression that its ending names', async () => {
    engine.hub.addRepo('org/twin', { files: { 'same.bin': WEIGHTS, 'config.json': '{"twin":1}' } })
    await engine.open().get('org/twin')
    const file = await exportAll()
    const tar = await readFile(file)
    const blobs = [`sha1/${gitSha1('{"version":1}')}`, `sha256/${sha256(WEIGHTS)}`, `sha1/${gitSha1('{"twin":1}')}`]
    expect(membersOf(tar).map(({ name }) => name)).toEqual([
      'vitest-model-cache.json',
      ...blobs.map((blob) => `blobs/${blob}`),
    ])
    const a = engine.open()
    const plain = { compression: 'none', bytes: WEIGHTS.length + 23 }
    const chunks: Buffer[] = []
    const stream = new Writable({ write: (chunk, _, done) => done(void chunks.push(chunk)) })
    expect(await a.exportTo(stream)).toMatchObject({ ...plain, archiveBytes: tar.length })
    expect(Buffer.concat(chunks).equals(tar)).toBe(true)
    expect(await a.exportTo(inFolder('models.tgz'))).toMatchObject({ compression: 'gzip' })
    expect(gunzipSync(await readFile(inFolder('models.tgz'))).equals(tar)).toBe(true)
    const best = await a.exportTo(inFolder('models.archive'))
    expect(best.compression).toBe(hasZstd() ? 'zstd' : 'gzip')
    expect(best.archiveBytes).toBeLessThan(tar.length)

    // Both ways into an empty cache: a stream of small pieces, and a file. Two repos share one content.
    const pieces = Readable.from(
      Array.from({ length: Math.ceil(tar.length / 700) }, (_, index) => tar.subarray(index * 700, (index + 1) * 700)),
    )
    await openB().importFrom(pieces)
    await openB({ cacheDir: inFolder('c') }).importFrom(inFolder('models.archive'))
    for (const cacheDir of [inFolder('b'), inFolder('c')]) {
      const b = openB({ cacheDir })
      expect(await contentsOf(await b.get('org/twin'))).toEqual({ 'same.bin': WEIGHTS, 'config.json': '{"twin":1}' })
      expect((await b.verify()).problems).toEqual([])
      expect(await readdir(join(cacheDir, 'incoming'))).toEqual([])
    }
  })

  test('is not written over another file, into an unknown format, of no model, or with a damaged file', async () => {
    const file = await exportAll()
    const before = await readFile(file)
    const a = engine.open()
    const blob = engine.inCache(`hub/models--org--name/blobs/${sha256(WEIGHTS)}`)
    expect(await refusalOf(a.exportTo(file))).toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('--force'),
    })
    expect(await a.exportTo(file, ['org/name'], { force: true })).toMatchObject({ archiveBytes: before.length })
    expect(await refusalOf(a.exportTo(inFolder('models.zip')))).toMatchObject({ code: 'INVALID_OPTION' })
    expect(await refusalOf(openB().exportTo(inFolder('none.tar')))).toMatchObject({ code: 'MODEL_NOT_FOUND' })
    expect(await a.exportTo(inFolder('dry.tar'), undefined, { dryRun: true })).toMatchObject({ archiveBytes: null })
    await rm(blob)
    await writeFile(blob, WEIGHTS.replace('w', 'W'))
    expect(await refusalOf(a.exportTo(inFolder('damaged.tar')))).toMatchObject({
      code: 'DIGEST_MISMATCH',
      message: expect.stringContaining('weights.bin of org/name'),
    })
    await rm(blob)
    expect(await refusalOf(a.exportTo(file, undefined, { force: true }))).toMatchObject({ code: 'DIGEST_MISMATCH' })
    expect(await readFile(file)).toEqual(before)
    expect((await readdir(engine.folder)).filter((name) => /tar|zip|tmp/.test(name))).toEqual(['models.tar'])
  })

  test('is written only as it can be imported', async () => {
    const a = engine.open()
    await a.get(WANTED)
    const metadata = engine.inCache('cache_metadata.json')
    const [record] = JSON.parse(await readFile(metadata, 'utf8'))
    record.selections.push({ key: '{"task":"gone"}', files: ['removed.bin'], used: true })
    await writeFile(metadata, JSON.stringify([record]))
    await exportAll()
    expect(await openB().importFrom(inFolder('models.tar'))).toMatchObject({ models: [{ addedFiles: 2 }] })
    // The endpoint's listing is lost. So what an archive brings is an entry beside that of the endpoint.
    await rm(engine.inCache(engine.inOrigin('models--org--name', 'trees')), { recursive: true })
    await engine.open({ offline: true }).importFrom(inFolder('models.tar'))
    await engine.open().exportTo(inFolder('both.tar'))
    const c = openB({ cacheDir: inFolder('c') })
    expect((await c.importFrom(inFolder('both.tar'))).models).toHaveLength(2)
    expect(await c.get(WANTED)).toMatchObject({ tier: 'disk' })
    // The list of contents has all stored answers of the API.
    const answers = engine.inOrigin('api', encodeURIComponent('org/name'))
    await mkdir(engine.inCache(answers), { recursive: true })
    const answer = JSON.stringify({ headers: {}, body: 'b'.repeat(1_000_000) })
    for (let index = 0; index < 68; index++)
      await writeFile(engine.inCache(answers, `${String(index).padStart(32, '0')}.json`), answer)
    const refusal = await refusalOf(engine.open().exportTo(inFolder('large.tar')))
    expect(refusal).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining('Export fewer models') })
    expect((await readdir(engine.folder)).filter((name) => name.includes('large'))).toEqual([])
  })

  test('is only checked in a dry run', async () => {
    const file = await exportAll()
    expect(await openB().importFrom(file, { dryRun: true })).toMatchObject({ models: [{ addedFiles: null }] })
    expect(await filesBelow(inFolder('b'))).toEqual([])
    const tar = await readFile(file)
    await writeFile(file, Buffer.concat([tar.subarray(0, -2000), Buffer.from('X'), tar.subarray(-1999)]))
    expect(await refusalOf(openB().importFrom(file, { dryRun: true }))).toMatchObject({ code: 'ARCHIVE_REFUSED' })
  })

  test('is refused if it is larger than the cache may be, and makes room for itself otherwise', async () => {
    const file = await exportAll()
    const refusal = await refusalOf(openB({ maxSize: 10_000 }).importFrom(file))
    expect(refusal).toMatchObject({ code: 'TOO_LARGE', message: expect.stringContaining('MODEL_CACHE_MAX_SIZE') })
    expect(await filesBelow(inFolder('b'))).toEqual([])
    engine.hub.addRepo('org/old', { files: { 'old.bin': 'o'.repeat(9_000) } })
    await openB({ offline: false }).get('org/old')
    await openB({ maxSize: 20_000 }).importFrom(file)
    expect(await openB().list()).toMatchObject([{ repo: 'org/name' }])
  })
})
