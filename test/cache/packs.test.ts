import { createHash, randomBytes } from 'node:crypto'
import fs, { existsSync, renameSync } from 'node:fs'
import { chmod, cp, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { hasPacked } from '../../src/model/entry.ts'
import { Cli } from '../support/cli.ts'
import { contentsOf, Engine, refusalOf } from '../support/engine.ts'
import type { Repository } from '../support/hub/index.ts'
import { canMount, mountMemory } from '../support/mount.ts'

/** Random floats between -0.1 and 0.1, as weights are. */
function weights(count: number): Float32Array {
  const random = new Uint32Array(randomBytes(4 * count).buffer.slice(0))
  return Float32Array.from({ length: count }, (_, at) => ((random[at % random.length] ?? 0) / 2 ** 32 - 0.5) / 5)
}

function bytesOf(floats: Float32Array): Buffer {
  return Buffer.from(floats.buffer)
}

const FLOATS = weights(700_000)
const WEIGHTS = bytesOf(FLOATS)
/** The weights with 1% changed in the middle. */
const CHANGED = (() => {
  const floats = FLOATS.slice()
  floats.set(weights(7000), 300_000)
  return bytesOf(floats)
})()
const VOCABULARY = JSON.stringify(Object.fromEntries(Array.from({ length: 9000 }, (_, id) => [`word${id}`, id])))
const FILES = {
  'config.json': '{"version":1}',
  'onnx/weights.bin': WEIGHTS,
  'tokenizer.json': VOCABULARY,
  'empty.txt': '',
}
const CONTENTS = Object.fromEntries(
  Object.entries(FILES).map(([path, content]) => [path, Buffer.from(content).toString('latin1')]),
)
const ALL_BYTES = Object.values(CONTENTS).reduce((sum, { length }) => sum + length, 0)

const { readSync } = fs

let engine: Engine
let repository: Repository

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  repository = engine.hub.addRepo('org/name', { files: FILES, lfsThreshold: 1000 })
  await engine.open().get('org/name')
  engine.hub.clearRequests()
})

async function bytesBelow(...parts: string[]): Promise<number> {
  const sizes = (await engine.listing(...parts)).map(async (path) => (await stat(engine.inCache(...parts, path))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

async function changeFirstPack(change: (bytes: Buffer) => void): Promise<void> {
  const [name = ''] = await readdir(engine.inCache('cold/packs'))
  await changePack(name, change)
}

async function changePack(name: string, change: (bytes: Buffer) => void): Promise<void> {
  const path = engine.inCache('cold/packs', name)
  await chmod(path, 0o644)
  const bytes = await readFile(path)
  change(bytes)
  await writeFile(path, bytes)
}

/** A disk that fails when more is read at once than an index has. Returns a function that mends it. */
function failReadsOfChunks(): () => void {
  const spy = vi.spyOn(fs, 'readSync').mockImplementation(((file: number, bytes: Buffer, ...rest: number[]) => {
    const [offset = 0, length = 0, position = 0] = rest
    if (length > 20_000) throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })
    return readSync(file, bytes, offset, length, position)
  }) as typeof fs.readSync)
  syncBuiltinESMExports()
  const mend = () => {
    spy.mockRestore()
    syncBuiltinESMExports()
  }
  onTestFinished(mend)
  return mend
}

describe('a model that is packed', () => {
  test('leaves nothing in hub/, takes less space, and its record says so', async () => {
    const [packed] = await engine.open().pack()
    expect(packed).toMatchObject({ bytes: ALL_BYTES })
    expect(packed?.reason).toBeUndefined()
    expect(await readdir(engine.inCache('hub'))).toEqual([])
    const onDisk = await bytesBelow('cold')
    expect(onDisk).toBeLessThan(0.9 * ALL_BYTES)
    const [record] = await engine.records()
    expect(record).toMatchObject({ isCompressed: true, version: '1.1' })
    // All but the mark, the trailer and the list of the model.
    expect(record?.size).toBeGreaterThan(onDisk - 3000)
    expect(record?.size).toBeLessThan(onDisk)
    const status = await engine.open().status()
    expect(status).toMatchObject({ bytes: record?.size, models: 1, packed: { models: 1, contentBytes: ALL_BYTES } })
    expect(await engine.listing('incoming')).toEqual([])
  })

  test('is restored with the same bytes by the next request, without a request to the Hub', async () => {
    await engine.open().pack()
    const progress: unknown[] = []
    const cache = engine.open({ offline: true })
    expect(await cache.has('org/name')).toBe(true)
    const model = await cache.get('org/name', { onProgress: ({ source }) => progress.push(source) })
    expect(model).toMatchObject({
      tier: 'cold',
      unpackedBytes: ALL_BYTES,
      restoredBytes: 0,
      downloadMs: null,
      repaired: [],
    })
    expect(model.restoreMs).toBeGreaterThan(0)
    expect(await contentsOf(model)).toEqual(CONTENTS)
    expect(progress).toContain('cold')
    expect(engine.hub.requests).toEqual([])
    expect(await readFile(engine.inCache('hub/models--org--name/refs/main'), 'utf8')).toBe(repository.commit)
    expect((await engine.open().get('org/name')).tier).toBe('disk')
    expect(await engine.records()).toMatchObject([{ isCompressed: false, version: '1.0' }])
    // What the pack files had is freed by the maintenance after the run.
    await engine.open().maintain()
    expect(await engine.listing('cold')).toEqual([])
  })

  test('adds little for a second revision, and each of them is restored from shared chunks', async () => {
    const first = repository.commit
    repository.addCommit({ files: { 'onnx/weights.bin': CHANGED } })
    await engine.open({ maxAge: 0 }).get('org/name')
    const [older, newer] = await engine.open().pack()
    // The superseded revision is packed first. Files that the newer one needs stay until it is packed, too.
    expect(older?.entry.commit).toBe(first)
    expect(older?.bytes).toBe(WEIGHTS.length)
    expect(newer?.packedBytes).toBeLessThan(0.15 * ALL_BYTES)
    expect(await engine.listing('hub')).toEqual([])
    engine.hub.clearRequests()
    for (const [revision, content] of [
      [first, WEIGHTS],
      ['main', CHANGED],
    ] as const) {
      const model = await engine.open().get({ repo: 'org/name', revision })
      expect(model.tier).toBe('cold')
      expect((await readFile(model.file('onnx/weights.bin'))).equals(content)).toBe(true)
    }
    expect(engine.filesAsked).toEqual([])
  })

  test('can be evicted and removed, and other models keep the chunks that they share', async () => {
    engine.hub.addRepo('org/other', { files: { 'weights.bin': CHANGED } })
    await engine.open().get('org/other')
    await engine.open().pack()
    await engine.setRecord('org/name', { lastAccessDate: '2020-01-01T00:00:00.000Z' })
    const before = await bytesBelow('cold')
    const { freedBytes } = await engine.open().remove('org/name')
    expect(freedBytes).toBeGreaterThan(0)
    expect(await bytesBelow('cold')).toBeLessThan(before)
    engine.hub.clearRequests()
    const model = await engine.open({ offline: true }).get('org/other')
    expect((await readFile(model.file('weights.bin'))).equals(CHANGED)).toBe(true)
    const [{ size } = { size: 0 }] = await engine.records()
    expect(size).toBe(CHANGED.length)
    await engine.open().pack()
    await engine.open({ maxSize: 1 }).maintain()
    expect(await engine.open().list()).toEqual([])
    expect(await engine.listing('cold')).toEqual([])
  })

  test('is not packed while a live run uses it, or if another tool brought it', async () => {
    const run = engine.open({ run: { id: 'live', pid: process.pid } })
    await run.get('org/name')
    expect((await engine.open().pack())[0]?.reason).toBe('A test run uses it now.')
    await run.endRun()
    await cp(engine.inCache('hub/models--org--name'), engine.inCache('hub/models--org--stranger'), { recursive: true })
    const cache = engine.open()
    const results = await cache.pack()
    expect(results.find(({ entry }) => entry.repo.endsWith('stranger'))?.reason).toBe('Another tool downloaded it.')
    expect(await cache.pack(['org/name'])).toEqual([])
  })

  test('is claimed by a run that asks for it while it is packed: then it stays on disk', async () => {
    const run = engine.open({ run: { id: 'live', pid: process.pid } })
    let claimed: Promise<void> | undefined
    const cache = engine.open()
    const [entry] = await cache.list()
    if (!entry) throw new Error('The model is not listed')
    const [result] = await cache.pack(undefined, {
      onProgress: () => {
        claimed ??= run.claim(entry)
      },
    })
    await claimed
    expect(result?.reason).toBe('A test run uses it now.')
    expect((await engine.open({ offline: true }).get('org/name')).tier).toBe('disk')
    expect(await engine.records()).toMatchObject([{ isCompressed: false }])
    await run.endRun()
  })

  test('is found again when the metadata was lost or written anew by an earlier version', async () => {
    await engine.open().pack()
    await rm(engine.inCache('cache_metadata.json'))
    const lost = await engine.open().list()
    expect(lost).toMatchObject([{ repo: 'org/name' }])
    expect(lost.every(hasPacked)).toBe(true)
    await writeFile(engine.inCache('cache_metadata.json'), '[]')
    await engine.open().maintain()
    expect(await engine.open().list()).toMatchObject([{ repo: 'org/name' }])
    expect((await engine.open({ offline: true }).get('org/name')).tier).toBe('cold')
  })

  test('is no longer packed once an earlier version downloaded it again', async () => {
    const text = await readFile(engine.inCache('cache_metadata.json'), 'utf8')
    await cp(engine.inCache('hub'), join(engine.folder, 'hub'), { recursive: true, verbatimSymlinks: true })
    await engine.open().pack()
    await cp(join(engine.folder, 'hub'), engine.inCache('hub'), { recursive: true, verbatimSymlinks: true })
    // The earlier version keeps the record that it can't read behind its own.
    const packed: unknown[] = JSON.parse(await readFile(engine.inCache('cache_metadata.json'), 'utf8'))
    await writeFile(engine.inCache('cache_metadata.json'), JSON.stringify([...JSON.parse(text), ...packed]))
    expect(await engine.open().status()).toMatchObject({ models: 1, packed: { models: 0 } })
    await engine.open().maintain()
    expect(await engine.listing('cold')).toEqual([])
    expect((await engine.open({ offline: true }).get('org/name')).tier).toBe('disk')
    expect(await engine.records()).toHaveLength(1)
  })

  test('is unpacked, exported and verified', async () => {
    const cache = engine.open()
    await cache.pack()
    expect(await cache.verify()).toMatchObject({ files: 4, bytes: ALL_BYTES, problems: [] })
    const archive = join(engine.folder, 'models.tar')
    await cache.exportTo(archive)
    const other = engine.open({ cacheDir: join(engine.folder, 'other'), offline: true })
    await other.importFrom(archive)
    expect(await contentsOf(await other.get('org/name'))).toEqual(CONTENTS)
    await cache.pack()
    expect(await cache.unpack(undefined, { dryRun: true })).toMatchObject([{ bytes: ALL_BYTES, restoreMs: null }])
    expect(await cache.unpack()).toMatchObject([{ bytes: ALL_BYTES }])
    expect(await engine.listing('cold')).toEqual([])
    expect(engine.filesAsked).toEqual([])
    expect((await engine.open({ offline: true }).get('org/name')).tier).toBe('disk')
  })

  test('keeps its pin and its place: a pinned one is not evicted, and packing is no use', async () => {
    const cache = engine.open()
    await cache.pin(await cache.list())
    const [before] = await cache.list()
    await cache.pack()
    await engine.open({ maxSize: 1 }).maintain()
    await engine.open().optimize()
    const [after] = await engine.open().list()
    expect(after).toMatchObject({ pinned: true, lastAccessDate: before?.lastAccessDate })
    expect((await engine.open({ offline: true }).get('org/name')).tier).toBe('cold')
  })
})

test('a large model is restored by threads, also if its chunks get into another pack file meanwhile', async () => {
  const large = Buffer.concat(Array(12).fill(WEIGHTS))
  engine.hub.addRepo('org/large', { files: { 'weights.bin': large } })
  await engine.open().get('org/large')
  await engine.open().pack(['org/large'])
  const [name = ''] = await readdir(engine.inCache('cold/packs'))
  let isMoved = false
  const onProgress = () => {
    if (!isMoved) renameSync(engine.inCache('cold/packs', name), engine.inCache('cold/packs', `${'0'.repeat(24)}.pack`))
    isMoved = true
  }
  const model = await engine.open({ offline: true }).get('org/large', { onProgress })
  expect(model).toMatchObject({ tier: 'cold', unpackedBytes: large.length })
  expect(isMoved).toBe(true)
  expect((await readFile(model.file('weights.bin'))).equals(large)).toBe(true)
})

test('a dry run says what packing would save, and changes nothing', async () => {
  const listing = await engine.listing()
  const [would] = await engine.open().pack(undefined, { dryRun: true })
  expect(await engine.listing()).toEqual(listing)
  const [did] = await engine.open().pack()
  expect(would).toMatchObject({ bytes: did?.bytes, packedBytes: did?.packedBytes })
})

test('compression can be turned off: chunks are shared, and stored as they are', async () => {
  const [packed] = await engine.open({ compression: 'none' }).pack()
  expect(packed?.packedBytes).toBeGreaterThan(ALL_BYTES)
  expect(packed?.packedBytes).toBeLessThan(1.01 * ALL_BYTES)
  expect(await contentsOf(await engine.open({ offline: true }).get('org/name'))).toEqual(CONTENTS)
})

describe('a damaged pack file', () => {
  test('is found by verify, and its model is downloaded again when it is asked for', async () => {
    await engine.open().pack()
    await changeFirstPack((bytes) => bytes.fill(0, bytes.length >> 1, (bytes.length >> 1) + 9))
    const { problems } = await engine.open().verify()
    expect(problems).toMatchObject([{ path: 'onnx/weights.bin', what: 'wrong digest' }])
    expect((await refusalOf(engine.open({ offline: true }).get('org/name'))).code).toBe('OFFLINE')
    const model = await engine.open().get('org/name')
    expect(await contentsOf(model)).toEqual(CONTENTS)
    expect(engine.filesAsked).toEqual(['onnx/weights.bin'])
    expect(engine.warnings.join('\n')).toContain('The packed copy of onnx/weights.bin of org/name is damaged')
    expect(await engine.listing('incoming')).toEqual([])
  })

  test('is mended when a model is packed that has the same chunks', async () => {
    engine.hub.addRepo('org/other', { files: { 'weights.bin': CHANGED } })
    await engine.open().get('org/other')
    await engine.open().pack(['org/name'])
    await engine.open().pack(['org/other'])
    // Both models have the chunks in the last part of the larger pack file.
    const packs = await engine.listing('cold/packs')
    const sizes = await Promise.all(packs.map(async (name) => (await stat(engine.inCache('cold/packs', name))).size))
    const larger = packs[sizes.indexOf(Math.max(...sizes))] ?? ''
    await changePack(larger, (bytes) => {
      const at = Math.floor(bytes.length * 0.8)
      bytes.fill(0, at, at + 9)
    })
    expect((await refusalOf(engine.open({ offline: true }).get('org/other'))).code).toBe('OFFLINE')
    await engine.open().get('org/name')
    expect((await engine.open().pack(['org/name']))[0]?.reason).toBeUndefined()
    const model = await engine.open({ offline: true }).get('org/other')
    expect((await readFile(model.file('weights.bin'))).equals(CHANGED)).toBe(true)
    expect((await engine.open({ offline: true }).get('org/name')).tier).toBe('cold')
    expect((await engine.open().verify()).problems).toEqual([])
  })

  test('is something else than a disk that fails for a while: then no chunk is dropped', async () => {
    engine.hub.addRepo('org/other', { files: { 'weights.bin': CHANGED } })
    await engine.open().get('org/other')
    await engine.open().pack()
    await engine.open().get('org/name')
    const before = await engine.listing('cold/packs')
    const mend = failReadsOfChunks()
    const [packed] = await engine.open().pack(['org/name'])
    mend()
    expect(packed?.reason).toMatch(/^The disk failed: .*EIO/)
    expect(await engine.listing('cold/packs')).toEqual(before)
    const model = await engine.open({ offline: true }).get('org/other')
    expect((await readFile(model.file('weights.bin'))).equals(CHANGED)).toBe(true)
  })

  test('with a broken index or a missing file, too', async () => {
    await engine.open().pack()
    await changeFirstPack((bytes) => bytes.fill(7, bytes.length - 10))
    expect((await engine.open().verify()).problems).toHaveLength(3)
    await rm(engine.inCache('cold/packs'), { recursive: true })
    expect(await contentsOf(await engine.open().get('org/name'))).toEqual(CONTENTS)
  })
})

test('what others have in the folders of packed models stays, also behind a link', async () => {
  await engine.open().pack()
  const foreign = ['blobs/config.json', 'models/models.json', 'notes.txt', 'packs/old.pack']
  for (const path of foreign) await writeFile(engine.inCache('cold', path), 'theirs')
  const all = await engine.listing('cold')
  const rooms = ['packs', 'blobs'].map((room) => ({
    own: engine.inCache('cold', room),
    away: join(engine.folder, room),
  }))
  for (const { own, away } of rooms) {
    await rename(own, away)
    await symlink(away, own)
  }
  await engine.open().remove('org/name')
  for (const { own, away } of rooms) {
    await rm(own)
    await rename(away, own)
  }
  expect(await engine.listing('cold')).toEqual(all.filter((path) => !path.startsWith('models/models--')))
  await engine.open().maintain()
  expect(await engine.listing('cold')).toEqual(foreign)
})

test('a list of a packed model that can not be read keeps all pack files', async () => {
  await engine.open().pack()
  const [name = ''] = await readdir(engine.inCache('cold/models'))
  await writeFile(engine.inCache('cold/models', name), '{"version":2}')
  const before = await engine.listing('cold')
  await engine.open().optimize()
  await engine.open().maintain()
  expect(await engine.listing('cold')).toEqual(before)
})

test('what a later version packed keeps its chunks, until no packed model needs it', async () => {
  engine.hub.addRepo('org/other', { files: { 'weights.bin': bytesOf(weights(1000)) } })
  await engine.open().get('org/other')
  await engine.open().pack()
  const own = createHash('sha256').update(WEIGHTS).digest('hex')
  const [recipe = ''] = (await engine.listing('cold/blobs')).filter((path) => path.includes(own))
  const path = engine.inCache('cold/blobs', recipe)
  const bytes = await readFile(path)
  await chmod(path, 0o644)
  await writeFile(path, bytes.fill('VMCBLOB2', 0, 8))
  const packs = await engine.listing('cold/packs')
  await engine.open().remove('org/other')
  await engine.open().optimize()
  await engine.open().maintain()
  expect(await engine.listing('cold/packs')).toEqual(packs)
  // The later version reads it.
  await writeFile(path, bytes.fill('VMCBLOB1', 0, 8))
  expect((await engine.open({ offline: true }).get('org/name')).tier).toBe('cold')
  await engine.open().maintain()
  expect(await engine.listing('cold')).toEqual([])
})

test('maintenance packs what was not used for `packAfter`, but no pinned model and none that a run uses', async () => {
  await engine.open({ packAfter: 60_000 }).maintain()
  expect((await engine.open().status()).packed.models).toBe(0)
  const cache = engine.open({ packAfter: 0 })
  await cache.pin(await cache.list())
  await cache.maintain()
  await cache.pin(await cache.list(), false)
  const run = engine.open({ packAfter: 0, run: { id: 'live', pid: process.pid } })
  await run.claim(...(await run.list()))
  await run.maintain()
  expect((await engine.open().status()).packed.models).toBe(0)
  // The run is over. With the packed size, the model stays below the limit that would have evicted it.
  await engine
    .open({ packAfter: 0, maxSize: ALL_BYTES - 1, run: { id: 'live', pid: process.pid } })
    .maintain({ isOver: true })
  expect((await engine.open().status()).packed.models).toBe(1)
  await run.endRun()
})

describe('a packing that is stopped', () => {
  beforeEach(async () => {
    await engine.open().remove('org/name')
    engine.hub.addRepo('org/two', { files: { 'a.bin': WEIGHTS, 'b.bin': bytesOf(weights(700_001)) } })
    await engine.open().get('org/two')
    const controller = new AbortController()
    // The files of a model are packed one after the other.
    const onProgress = ({ bytes }: { bytes: number }) => void (bytes > 0 && controller.abort())
    await expect(engine.open().pack(undefined, { signal: controller.signal, onProgress })).rejects.toThrow()
    expect(await engine.listing('incoming')).toEqual([])
    expect((await engine.open().status()).packed.models).toBe(0)
  })

  test('keeps the chunks so far, and the next one writes only the others', async () => {
    const [kept] = await readdir(engine.inCache('cold/packs'))
    const bytes = await bytesBelow('cold/packs')
    expect(bytes).toBeGreaterThan(WEIGHTS.length / 2)
    const given = await contentsOf(await engine.open().get('org/two'))
    await engine.open({ packAfter: 0 }).maintain()
    expect(await readdir(engine.inCache('cold/packs'))).toContain(kept)
    expect(await bytesBelow('cold/packs')).toBeLessThan(2.2 * bytes)
    expect(existsSync(engine.inCache('cold/unfinished'))).toBe(false)
    const restored = await engine.open({ offline: true }).get('org/two')
    expect(restored.tier).toBe('cold')
    expect(await contentsOf(restored)).toEqual(given)
  })

  test('leaves chunks that maintenance frees if the model is not to be packed any more', async () => {
    await engine.open({ packAfter: 60_000 }).maintain()
    expect(await engine.listing('cold')).toEqual([])
    expect((await engine.open({ offline: true }).get('org/two')).tier).toBe('disk')
  })
})

test.runIf(canMount)('on a full disk, a model stays as it is, and nothing is left of the attempt', async () => {
  const cacheDir = join(engine.folder, 'full')
  await mkdir(cacheDir)
  onTestFinished(mountMemory(cacheDir, 4).unmount)
  await engine.open({ cacheDir }).get('org/name')
  const [packed] = await engine.open({ cacheDir }).pack()
  expect(packed?.reason).toContain('The disk failed: ')
  expect(await readdir(join(cacheDir, 'incoming'))).toEqual([])
  expect((await engine.open({ cacheDir, offline: true }).get('org/name')).tier).toBe('disk')
})

test.runIf(canMount)('in a read-only folder, a model is restored into the temporary cache of a run', async () => {
  const cacheDir = join(engine.folder, 'copy')
  await mkdir(cacheDir)
  const disk = mountMemory(cacheDir, 16)
  onTestFinished(disk.unmount)
  await engine.open({ cacheDir }).get('org/name')
  await engine.open({ cacheDir }).pack()
  disk.makeReadOnly()
  const refusal = await refusalOf(engine.open({ cacheDir }).get('org/name'))
  expect(refusal.message).toContain('It is packed in')
  expect(await engine.open({ cacheDir }).unpack()).toMatchObject([
    { restoreMs: null, error: { code: 'CACHE_UNUSABLE' } },
  ])
  const run = { id: 'live', pid: process.pid }
  const cache = engine.open({ cacheDir, offline: true, run, whenUnusable: 'temporary' })
  const model = await cache.get('org/name')
  expect(model.tier).toBe('cold')
  expect(await contentsOf(model)).toEqual(CONTENTS)
  await cache.endRun()
})

test.runIf(canMount)('on a full disk, a model stays packed, and is restored once there is room', async () => {
  const cacheDir = join(engine.folder, 'full')
  await mkdir(cacheDir)
  onTestFinished(mountMemory(cacheDir, 7).unmount)
  await engine.open({ cacheDir }).get('org/name')
  await engine.open({ cacheDir }).pack()
  const others = join(cacheDir, 'theirs')
  await writeFile(others, Buffer.alloc(3 << 20))
  expect((await refusalOf(engine.open({ cacheDir, offline: true }).get('org/name'))).code).toBe('CACHE_UNUSABLE')
  expect(await readdir(join(cacheDir, 'incoming'))).toEqual([])
  await rm(others)
  expect((await engine.open({ cacheDir, offline: true }).get('org/name')).tier).toBe('cold')
})

test('the commands say what they packed, show it, and restore it', async () => {
  const cli = new Cli(engine)
  expect((await cli.run('pack', 'org/name')).stdout).toMatch(/^Packed org\/name at \w{7}: .* take .* \(8\d%\)\nFreed /)
  const [list, status, path] = await Promise.all([cli.run('ls'), cli.run('status'), cli.run('path', 'org/name')])
  expect(list.stdout).toMatch(/packed\n.* yes/)
  expect(status.stdout).toMatch(/packed {5}1 model: .* take /)
  expect(path).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('vitest-model-cache unpack org/name') })
  expect((await cli.run('unpack')).stdout).toMatch(/^Restored org\/name at \w{7}: .* in /)
})
