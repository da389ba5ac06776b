import { chmod, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { CacheOptions, ModelCache } from '../../src/cache/index.ts'
import { type LockedModel, printLockFile } from '../../src/model/lock-file.ts'
import { toModel } from '../../src/model/model.ts'
import { contentsOf, Engine, filesOf, pathsOf, refusalOf } from '../support/engine.ts'
import { type Repository, startHub } from '../support/hub/index.ts'

const FILES = { 'config.json': '{"version":1}', 'a.bin': 'aaaa', 'b.bin': 'bbbb' }

let engine: Engine
let repository: Repository

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  repository = engine.hub.addRepo('org/name', { files: FILES })
})

const lockfile = () => join(engine.folder, 'models.lock.json')

/** Locks a model as its Hub states it, and writes the lock file after a change. */
async function lock(name = 'org/name', change = (model: LockedModel): LockedModel => model): Promise<LockedModel> {
  const model = change(await engine.open({ cacheDir: join(engine.folder, 'empty') }).state(toModel(name)))
  await writeFile(lockfile(), printLockFile({ models: [model] }))
  engine.hub.clearRequests()
  return model
}

function open(options: Partial<CacheOptions> = {}): ModelCache {
  return engine.open({ lockfile: lockfile(), ...options })
}

const apiRequests = () => engine.hub.requests.filter(({ kind }) => kind === 'api')

/** The statement with another digest or size for one file. */
function withFile(path: string, file: { digest?: string; size?: number }) {
  return (model: LockedModel): LockedModel => ({
    ...model,
    files: new Map(
      [...model.files].map(([name, each]) => [name, name === path ? { ...each, ...(file as object) } : each]),
    ),
  })
}

describe('with a lock file', () => {
  test('an empty cache gets the locked commit without a request to the API, also after the branch has moved', async () => {
    const { commit } = await lock()
    repository.addCommit({ files: { 'config.json': '{"version":2}', 'new.bin': 'new' } })
    const model = await open().get('org/name')
    expect(model).toMatchObject({ commit, tier: 'hub' })
    expect(await contentsOf(model)).toEqual(FILES)
    expect(apiRequests()).toEqual([])
    expect(engine.filesAsked.sort()).toEqual(Object.keys(FILES).sort())

    engine.hub.clearRequests()
    expect(await open({ maxAge: 0 }).get('org/name')).toMatchObject({ commit, tier: 'disk' })
    expect(await open({ offline: true }).get(`org/name@${commit}`)).toMatchObject({ commit, tier: 'disk' })
    const refusal = await refusalOf(open().get(filesOf('org/name', 'new.bin')))
    expect(refusal).toMatchObject({ code: 'FILE_NOT_FOUND' })
    // The metadata is lost: the files are verified again.
    await rm(engine.inCache('cache_metadata.json'))
    expect(await open().get('org/name')).toMatchObject({ commit, tier: 'disk' })
    expect(engine.hub.requests).toEqual([])
  })

  test('the files of a task are chosen by the locked list, and single files are found by it', async () => {
    await engine.addEmbeddings('org/embeddings', { size: 50_000, dtypes: ['fp32', 'q8'] })
    await lock('org/embeddings')
    const cache = open()
    const task = { repo: 'org/embeddings', dtype: 'q8' } as const
    expect(pathsOf(await cache.get(task))).toContain('onnx/model_quantized.onnx')
    expect(pathsOf(await open().get('org/embeddings'))).toContain('onnx/model.onnx')
    engine.hub.clearRequests()
    expect((await open().describe(toModel('org/embeddings'), 'README.md')).size).toBeGreaterThan(0)
    expect(await open().accessOf(toModel('org/embeddings'))).toBe('public')
    expect(engine.hub.requests).toEqual([])
  })

  test('a model that is cached already is served at the locked commit, and not at a newer one', async () => {
    const { commit } = await lock()
    repository.addCommit({ files: { 'config.json': '{"version":2}' } })
    expect((await engine.open().get('org/name')).commit).toBe(repository.commit)
    engine.hub.clearRequests()
    const model = await open().get('org/name')
    expect(model.commit).toBe(commit)
    expect(await contentsOf(model)).toEqual(FILES)
    expect(engine.filesAsked).toEqual(['config.json'])
    expect((await engine.open().get('org/name')).commit).toBe(repository.commit)
  })

  test('a name that the Hub knows by another id is kept under the id', async () => {
    engine.hub.renameRepo('org/name', 'org/newer')
    const { id } = await lock('org/name')
    expect(id).toBe('org/newer')
    expect((await open().get('org/name')).repo).toBe('org/newer')
    expect((await open().get('org/newer')).tier).toBe('disk')
    expect(apiRequests()).toEqual([])
    expect(await engine.listing('origins').catch(() => [])).toEqual([])
  })
})

describe('a file that differs from the lock file is never served', () => {
  const OTHER = `sha1:${'0'.repeat(40)}`

  test.each<[string, { digest?: string; size?: number }, RegExp]>([
    ['digest', { digest: OTHER }, /states sha1:0+ \(13 bytes\), and http\S+ sent sha1:[1-9a-f]/],
    ['size', { size: 14 }, /states sha1:\w+ \(14 bytes\), and http\S+ sent 13 bytes/],
    ['size that is smaller', { size: 12 }, /\(12 bytes\), and http\S+ sent 13 bytes/],
  ])('because the Hub sends another %s', async (_, file, reason) => {
    await lock('org/name', withFile('config.json', file))
    const refusal = await refusalOf(open().get(filesOf('org/name', 'config.json')))
    expect(refusal).toMatchObject({ code: 'LOCK_MISMATCH', asked: 'File config.json of org/name' })
    expect(refusal.reason).toMatch(reason)
    expect(refusal.nextStep).toContain('`npx vitest-model-cache lock --update org/name`')
    expect(await engine.listing('hub').catch(() => [])).toEqual([])
  })

  test('because the Hub has no such file at the commit', async () => {
    await lock('org/name', (model) => ({
      ...model,
      files: new Map([...model.files, ...renamed(model, 'a.bin', 'z.bin')]),
    }))
    const refusal = await refusalOf(open().get(filesOf('org/name', 'z.bin')))
    expect(refusal).toMatchObject({ code: 'LOCK_MISMATCH', reason: expect.stringContaining('there is no such file') })
  })

  test('because the cache has another one, or its stored listing does', async () => {
    await engine.open().get(filesOf('org/name', 'config.json'))
    await lock('org/name', withFile('config.json', { digest: OTHER }))
    for (const cache of [open(), open({ offline: true }), open({ validate: 'none' })]) {
      const refusal = await refusalOf(cache.get('org/name'))
      expect(refusal).toMatchObject({ code: 'LOCK_MISMATCH', asked: 'File config.json of org/name' })
      expect(refusal.reason).toMatch(/the cache has sha1:\w+ \(13 bytes\), and models.lock.json states sha1:0+/)
    }
    await lock('org/name', withFile('b.bin', { size: 5 }))
    const listed = await refusalOf(open().get('org/name'))
    expect(listed.reason).toMatch(/the stored listing of http\S+ has sha256:\w+ \(4 bytes\), and .* \(5 bytes\)/)
    expect(engine.filesAsked).toEqual([])
  })
})

function renamed({ files }: LockedModel, from: string, to: string) {
  return [...files].filter(([path]) => path === from).map(([, file]) => [to as never, file] as const)
}

describe('a lock file is believed for this project and its endpoint only', () => {
  test('a project without it asks the Hub, and gets the right files where the lock file mixed them up', async () => {
    // The digest of each is that of the other.
    await lock('org/name', (model) => ({
      ...model,
      files: new Map([...model.files, ...renamed(model, 'a.bin', 'b.bin'), ...renamed(model, 'b.bin', 'a.bin')]),
    }))
    // Both contents are in the cache, so nothing is downloaded that could show the mistake.
    await engine.open().get('org/name')
    await rm(engine.inCache('cache_metadata.json'))
    await rm(engine.inCache('origins'), { recursive: true })
    await rm(engine.inCache('hub/models--org--name/snapshots'), { recursive: true })
    engine.hub.clearRequests()
    expect(await contentsOf(await open().get('org/name'))).toMatchObject({ 'a.bin': 'bbbb', 'b.bin': 'aaaa' })
    expect(engine.hub.requests).toEqual([])
    expect(await contentsOf(await engine.open().get('org/name'))).toEqual(FILES)
    expect(apiRequests()).not.toEqual([])
    expect(engine.filesAsked).toEqual([])
  })

  test('what it brought into the cache needs no second download there', async () => {
    const { commit } = await lock()
    await open().get('org/name')
    expect((await engine.records()).map(({ originalURL }) => originalURL)).toEqual([`/org/name/tree/${commit}`])
    engine.hub.clearRequests()
    expect((await engine.open().get('org/name')).tier).toBe('disk')
    expect(engine.filesAsked).toEqual([])
    expect((await engine.records()).map(({ originalURL }) => originalURL)).toEqual([
      `${engine.hub.url}/org/name/tree/${commit}`,
    ])
    engine.hub.clearRequests()
    expect((await open().get('org/name')).tier).toBe('disk')
    expect(engine.hub.requests).toEqual([])
  })

  test('the statement of another endpoint does not count, and frozen refuses it', async () => {
    const mirror = await startHub()
    onTestFinished(() => mirror.close())
    const ofMirror = mirror.addRepo('org/name', { files: { ...FILES, 'config.json': '{"mirror":true}' } })
    const { commit } = await lock()
    const elsewhere = { hub: { endpoint: mirror.url, concurrency: 8 } }
    const run = { id: 'run-1-1', pid: process.pid }
    expect((await open({ ...elsewhere, run }).get('org/name')).commit).toBe(ofMirror.commit)
    expect(engine.warnings.join()).toContain(
      `models.lock.json states it for ${engine.hub.url}, and not for ${mirror.url}`,
    )
    expect(engine.hub.requests).toEqual([])
    const refusal = await refusalOf(open({ ...elsewhere, frozen: true }).get('org/name'))
    expect(refusal).toMatchObject({ code: 'NOT_LOCKED' })
    expect(commit).not.toBe(ofMirror.commit)
  })
})

describe('frozen', () => {
  test('refuses a model that the lock file lacks, cached or not, and names the command', async () => {
    await lock()
    engine.hub.addRepo('org/other', { files: FILES })
    await engine.open().get('org/other')
    engine.hub.clearRequests()
    const cache = open({ frozen: true })
    for (const model of ['org/other', 'org/name@v2', 'org/unknown']) {
      const refusal = await refusalOf(cache.get(model))
      expect(refusal).toMatchObject({ code: 'NOT_LOCKED', asked: `Model ${model}` })
      expect(refusal.nextStep).toContain(`\`npx vitest-model-cache lock ${model}\``)
    }
    expect(await cache.warm(['org/other'])).toMatchObject([{ error: { code: 'NOT_LOCKED' } }])
    expect(engine.hub.requests).toEqual([])
    expect((await cache.get('org/name')).tier).toBe('hub')
    const withoutFile = await refusalOf(
      engine.open({ frozen: true, lockfile: join(engine.folder, 'none') }).get('org/name'),
    )
    expect(withoutFile).toMatchObject({ code: 'NOT_LOCKED', reason: expect.stringContaining('There is no lock file') })
  })

  test('without it, a model that the lock file lacks is downloaded, with a warning', async () => {
    await lock()
    engine.hub.addRepo('org/other', { files: FILES })
    const cache = open({ run: { id: 'run-1-1', pid: process.pid } })
    expect((await cache.get('org/other')).tier).toBe('hub')
    await cache.endRun()
    expect(engine.warnings).toEqual([
      'org/other is not pinned: models.lock.json does not have it. Add it: `npx vitest-model-cache lock`.',
    ])
  })
})

test('a broken lock file fails each lookup, and no other work of the cache', async () => {
  await engine.open().get('org/name')
  await writeFile(lockfile(), '<<<<<<< HEAD\n')
  const cache = open({ run: { id: 'run-1-1', pid: process.pid } })
  for (const ask of [cache.get('org/name'), cache.file(toModel('org/name'), 'a.bin'), cache.has('org/name')])
    expect(await refusalOf(ask)).toMatchObject({
      code: 'LOCK_BROKEN',
      reason: expect.stringContaining('merge conflict'),
    })
  expect(await cache.list()).toHaveLength(1)
  expect(await cache.find('org/name@main')).toHaveLength(1)
  await cache.maintain({ isOver: true })
  // As soon as the file is right, it counts.
  const { commit } = await lock()
  expect((await cache.get('org/name')).commit).toBe(commit)
})

test('in a folder into which others can write, the lock file is the proof, and each file is verified', async () => {
  await lock()
  await open().get('org/name')
  await chmod(engine.cacheDir, 0o777)
  engine.hub.clearRequests()
  expect((await open().get('org/name')).tier).toBe('disk')
  expect(engine.hub.requests).toEqual([])
  const file = (await open().get('org/name')).file('a.bin')
  await chmod(file, 0o644)
  await writeFile(file, 'evil')
  expect(await contentsOf(await open().get('org/name'))).toEqual(FILES)
})
