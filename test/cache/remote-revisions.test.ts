import { createCipheriv } from 'node:crypto'
import { chmod, cp, mkdir, readdir, readFile, realpath, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { CachedModel } from '../../src/cache/cached-model.ts'
import type { CacheOptions, ModelCache } from '../../src/cache/index.ts'
import { pruneRemote } from '../../src/cache/prune-remote.ts'
import { pullModels } from '../../src/cache/pull.ts'
import { remoteStatus } from '../../src/cache/remote-status.ts'
import { toModel } from '../../src/model/model.ts'
import { type MappedPart, parseMap, printMap } from '../../src/remote/chunk-map.ts'
import { blobKey, mapKey } from '../../src/remote/keys.ts'
import { Engine, sha256 } from '../support/engine.ts'
import type { Repository } from '../support/hub/index.ts'
import { MemoryRemote } from '../support/memory-remote.ts'
import { FaultyServer, sendStatus, sendWhole } from '../support/remote/faulty-server.ts'
import { folderRemote } from '../support/shared-folder.ts'

const SIZE = 5 << 20
const FIRST = made(SIZE, 1)
/** 1% changed in the middle. */
const SECOND = changed(FIRST, 3_000_000, 2)
/** A byte at the front, and 1% changed near the end. */
const THIRD = Buffer.concat([Buffer.from('!'), changed(SECOND, 4_500_000, 3)])
/** What a change of 1% may cost here. With larger files it is less: a chunk has some 64 kB. */
const LITTLE = 0.08 * SIZE

/** The same bytes each time, which look like random ones. */
function made(size: number, seed: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(size))
}

function changed(from: Buffer, at: number, seed: number): Buffer {
  const bytes = Buffer.from(from)
  made(SIZE / 100, seed).copy(bytes, at)
  return bytes
}

let engine: Engine
let repository: Repository

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  repository = engine.hub.addRepo('org/name', { files: filesWith(FIRST), lfsThreshold: 1000 })
  await mkdir(shared())
})

const filesWith = (weights: Buffer) => ({ 'config.json': '{"version":1}', 'onnx/weights.bin': weights })
const shared = () => join(engine.folder, 'shared')

/** Opens the cache of a machine. */
function machine(name: string, options: Partial<CacheOptions> = {}): ModelCache {
  return engine.open({ cacheDir: join(engine.folder, name), maxAge: 0, remote: folderRemote(shared()), ...options })
}

/** Commits the weights, and has a machine download and push them. */
async function push(name: string, weights: Buffer) {
  if (weights !== FIRST) repository.addCommit({ files: { 'onnx/weights.bin': weights } })
  await machine(name, { remote: undefined }).get('org/name')
  const before = await sharedBytes()
  const [pushed] = (await machine(name).push()).filter(({ commit }) => commit === repository.commit)
  engine.hub.clearRequests()
  return { pushed, added: (await sharedBytes()) - before }
}

async function sharedBytes(): Promise<number> {
  const entries = await readdir(shared(), { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

async function has(model: CachedModel, weights: Buffer): Promise<void> {
  expect(weights.equals(await readFile(model.file('onnx/weights.bin')))).toBe(true)
  expect(model.tier).toBe('remote')
  expect(engine.filesAsked).toEqual([])
  expect(engine.warnings).toEqual([])
}

describe('a new revision of a large file', () => {
  test('costs its difference, up and down', async () => {
    const first = await push('first', FIRST)
    // It costs nothing else: in a folder, the first revision has no chunk map.
    expect(first.added).toBeLessThan(SIZE + 4000)
    await machine('second').get('org/name')
    const { pushed, added } = await push('first', SECOND)
    expect(pushed).toMatchObject({ outcome: 'shared' })
    expect(pushed?.sentBytes).toBeLessThan(LITTLE)
    expect(added).toBeLessThan(LITTLE + 2000)
    expect(pushed?.presentBytes).toBeGreaterThan(SIZE - LITTLE)
    const model = await machine('second').get('org/name')
    expect(model.restoredBytes).toBeLessThan(LITTLE)
    await has(model, SECOND)
    // An empty machine reads the parts of both objects. Then it has the second revision only.
    const empty = await machine('empty').get('org/name')
    expect(empty.restoredBytes).toBeGreaterThan(SIZE)
    await has(empty, SECOND)
    // A machine that knows nothing of the others finds their chunks by the lists of files in the store.
    const third = await push('ci', THIRD)
    expect(third.pushed?.sentBytes).toBeLessThan(2 * LITTLE)
    const [pulled] = await pullModels(machine('second').context, [toModel('org/name')])
    expect(pulled).toMatchObject({ outcome: 'complete', pulledFiles: 2 })
    expect(pulled?.receivedBytes).toBeLessThan(2 * LITTLE)
    const next = await machine('empty').get('org/name')
    expect(next.restoredBytes).toBeLessThan(2 * LITTLE)
    await has(next, THIRD)
    const again = (await machine('ci').push()).at(-1)
    expect(again).toMatchObject({ sentBytes: 0, presentBytes: again?.bytes })
    const ci = machine('ci')
    const [status] = (await remoteStatus(ci.context, await ci.list())).models
    expect(status).toMatchObject({ files: 2, presentFiles: 2 })
  })

  test('is sent as a difference by a machine that never had an earlier one, also from a damaged object', async () => {
    await push('first', FIRST)
    const weights = join(shared(), blobKey(digestOf(FIRST)))
    await chmod(weights, 0o644)
    await writeFile(weights, changed(FIRST, 1_000_000, 9))
    const { pushed } = await push('ci', SECOND)
    expect(pushed?.sentBytes).toBeLessThan(2 * LITTLE)
    await has(await machine('empty').get('org/name'), SECOND)
  })

  test('is put together from the pack files, too', async () => {
    await push('first', FIRST)
    await machine('second').get('org/name')
    await machine('second').pack()
    await push('first', SECOND)
    const models = [toModel('org/name')]
    const [would] = await pullModels(machine('second').context, models, { dryRun: true })
    expect(would).toMatchObject({ pulledFiles: 2, receivedBytes: 0 })
    const model = await machine('second').get('org/name')
    expect(model.restoredBytes).toBeLessThan(LITTLE)
    expect(model.unpackedBytes).toBeGreaterThan(SIZE - LITTLE)
    await has(model, SECOND)
  })

  test('takes few requests, also if it has changed in many places', async () => {
    const store = new RangedMemory()
    const remote = { store, timeoutMs: 60_000, uploadPrivate: false }
    // A file that the store lacks costs a request for the map, too, if it is large.
    await machine('first', { remote }).get('org/name')
    const weightsKey = blobKey(digestOf(FIRST))
    const gets = () => store.calls.filter((call) => call.startsWith('get blobs/'))
    expect(gets().sort()).toEqual([expect.stringContaining('sha1/'), `get ${weightsKey}`, `get ${weightsKey}.map`])
    await machine('first', { remote }).push()
    await machine('second', { remote }).get('org/name')
    const scattered = Buffer.from(FIRST)
    for (let place = 0; place < 10; place++) scattered.fill(`change ${place}`, place * 500_000, place * 500_000 + 99)
    repository.addCommit({ files: { 'onnx/weights.bin': scattered } })
    await machine('first', { remote: undefined }).get('org/name')
    await machine('first', { remote }).push()
    for (const [name, most] of [
      ['second', 2],
      ['empty', 8],
    ] as const) {
      engine.hub.clearRequests()
      store.calls.length = 0
      await has(await machine(name, { remote: { ...remote, mode: 'read' } }).get('org/name'), scattered)
      expect(gets().length, gets().join('\n')).toBeLessThanOrEqual(most)
    }
  })

  test('that has little of the earlier one is sent whole, and without ranges each one is', async () => {
    await push('first', FIRST)
    const other = await push('first', made(SIZE, 4))
    expect(other.pushed?.sentBytes).toBeGreaterThan(SIZE)
    const store = new MemoryRemote()
    const plain = { remote: { store, timeoutMs: 60_000, uploadPrivate: false } }
    await machine('first').push()
    await machine('first', plain).push()
    expect(store.keys.filter((key) => key.endsWith('.map'))).toEqual([])
    expect(store.keys.filter((key) => key.startsWith('blobs/'))).toHaveLength(2)
  })

  test('is sent whole to a web server that ignores `Range`, and is read from there', async () => {
    const server = await FaultyServer.start(onTestFinished)
    server.faults.set('GET', (asked, answer, object) =>
      object ? sendWhole(object)(asked, answer, object) : sendStatus(404)(asked, answer, object),
    )
    const remote = { url: `${server.url}/models`, mode: 'read-write' as const, timeoutMs: 60_000, uploadPrivate: false }
    await machine('first', { remote: undefined }).get('org/name')
    await machine('first', { remote }).push()
    repository.addCommit({ files: { 'onnx/weights.bin': SECOND } })
    await machine('first', { remote: undefined }).get('org/name')
    const pushed = (await machine('first', { remote }).push()).find(({ commit }) => commit === repository.commit)
    expect(pushed?.sentBytes).toBeGreaterThan(SIZE)
    engine.hub.clearRequests()
    await has(await machine('empty', { remote }).get('org/name'), SECOND)
  })
})

describe('a store in which', () => {
  interface Fault {
    what: string
    which: 'map' | 'fresh'
    change: (from: Buffer) => Buffer | undefined
    warning: RegExp
    /** What the next upload sends, which completes the store. */
    sends?: 'difference' | 'whole'
  }
  const isWrong = /object of the remote .* is wrong.*weights/
  const isIncomplete = /is not complete.*lacks a part of .*weights/
  const faults: Fault[] = [
    { what: 'the map is a page of a login', which: 'map', change: () => Buffer.from('<html>'), warning: isWrong },
    { what: 'the map is wrong', which: 'map', change: movePart, warning: isWrong },
    { what: 'the map names what is missing', which: 'map', change: nameOther, warning: isIncomplete, sends: 'whole' },
    { what: 'the new chunks are flipped', which: 'fresh', change: flip, warning: isWrong },
    { what: 'the new chunks are cut off', which: 'fresh', change: (from) => from.subarray(1), warning: isWrong },
    {
      ...{ what: 'the new chunks are missing', which: 'fresh', change: () => undefined },
      ...{ warning: isIncomplete, sends: 'difference' },
    },
  ]
  test('an object is wrong or missing costs one warning, and the Hub sends the file', async () => {
    await push('first', FIRST)
    for (const { what } of faults) await machine(what).get('org/name')
    const before = await keysOf('blobs')
    await push('first', SECOND)
    const map = mapKey(digestOf(SECOND))
    const fresh = (await keysOf('blobs')).find((key) => !before.includes(key) && key !== map) ?? ''
    await cp(shared(), join(engine.folder, 'kept'), { recursive: true })
    for (const { what, which, change, warning, sends } of faults) {
      engine.warnings.length = 0
      await rm(shared(), { recursive: true })
      await cp(join(engine.folder, 'kept'), shared(), { recursive: true })
      const path = join(shared(), which === 'map' ? map : fresh)
      const damaged = change(await readFile(path))
      await rm(path)
      if (damaged) await writeFile(path, damaged)
      const model = await machine(what).get('org/name')
      expect([what, model.tier]).toEqual([what, 'hub'])
      expect(SECOND.equals(await readFile(model.file('onnx/weights.bin')))).toBe(true)
      expect(engine.warnings).toEqual([expect.stringMatching(warning)])
      expect(await readdir(join(engine.folder, what, 'incoming'))).toEqual([])
      if (!sends) continue
      const sent = (await machine(what).push()).reduce((sum, { sentBytes }) => sum + sentBytes, 0)
      expect([what, sent >= SIZE ? 'whole' : 'difference']).toEqual([what, sends])
      expect((await machine(`${what}, then`).get('org/name')).tier).toBe('remote')
    }
  })

  test('a hostile map names the same ranges again and again has little of them read', async () => {
    const store = new RangedMemory()
    const remote = { store, timeoutMs: 60_000, uploadPrivate: false }
    await machine('first', { remote: undefined }).get('org/name')
    await machine('first', { remote }).push()
    const digest = digestOf(FIRST)
    const map = parseMap(Buffer.from(store.objects.get(mapKey(digest)) ?? []), SIZE)
    const sources = Array.from({ length: 20 }, (_, at) => made(300_000, 10 + at)).map((bytes) => {
      store.objects.set(blobKey(digestOf(bytes)), bytes)
      return { digest: digestOf(bytes), size: bytes.length }
    })
    const parts = Array.from({ length: Math.ceil(SIZE / 10_000) }, (_, at) => ({
      source: sources[at % sources.length] ?? { digest, size: 0 },
      start: 10_000 * Math.floor(at / sources.length),
      size: Math.min(10_000, SIZE - 10_000 * at),
    }))
    store.objects.set(mapKey(digest), printMap({ ...map, parts }))
    store.objects.delete(blobKey(digest))
    store.readBytes = 0
    engine.hub.clearRequests()
    const model = await machine('empty', { remote: { ...remote, mode: 'read' } }).get('org/name')
    expect(FIRST.equals(await readFile(model.file('onnx/weights.bin')))).toBe(true)
    expect(engine.filesAsked).toContain('onnx/weights.bin')
    expect(store.readBytes).toBeLessThan(2.5 * SIZE)
  })

  test('an earlier revision was damaged on the disk of the machine gives the right bytes', async () => {
    await push('first', FIRST)
    const first = await machine('second').get('org/name')
    await push('first', SECOND)
    const file = await realpath(first.file('onnx/weights.bin'))
    const { atime, mtime } = await stat(file)
    await chmod(file, 0o644)
    await writeFile(file, flip(FIRST))
    await utimes(file, atime, mtime)
    const model = await machine('second').get('org/name')
    expect(SECOND.equals(await readFile(model.file('onnx/weights.bin')))).toBe(true)
    expect(engine.filesAsked).toEqual([])
    expect(engine.warnings).toEqual([expect.stringMatching(/Another revision of .*weights.* is damaged/)])
  })

  test('an upload ended at any step misleads nobody, and the next upload completes it', async () => {
    const objects = new Map<string, Uint8Array>()
    const store = new RangedMemory(objects)
    const remote = { store, timeoutMs: 60_000, uploadPrivate: false }
    await machine('first', { remote: undefined }).get('org/name')
    await machine('first', { remote }).push()
    repository.addCommit({ files: { 'onnx/weights.bin': SECOND } })
    await machine('first', { remote: undefined }).get('org/name')
    const before = new Map(objects)
    let isComplete = false
    for (let writes = 0; !isComplete; writes++) {
      objects.clear()
      for (const [key, bytes] of before) objects.set(key, bytes)
      store.writesLeft = writes
      const pushed = await machine('first', { remote }).push()
      isComplete = pushed.every(({ outcome }) => outcome === 'shared')
      const read = { ...remote, mode: 'read' as const }
      const model = await machine(`after ${writes}`, { remote: read }).get('org/name')
      expect(SECOND.equals(await readFile(model.file('onnx/weights.bin')))).toBe(true)
      store.writesLeft = Number.POSITIVE_INFINITY
      expect((await machine('first', { remote }).push()).every(({ outcome }) => outcome === 'shared')).toBe(true)
      expect((await machine(`then ${writes}`, { remote: read }).get('org/name')).tier).toBe('remote')
      expect([...objects.values()].reduce((sum, bytes) => sum + bytes.length, 0)).toBeLessThan(SIZE + 2 * LITTLE)
    }
    expect(engine.warnings).toEqual([])
  })

  test('two machines write it at once has one that can be read', async () => {
    await push('first', FIRST)
    repository.addCommit({ files: { 'onnx/weights.bin': SECOND } })
    for (const name of ['first', 'other']) await machine(name, { remote: undefined }).get('org/name')
    engine.hub.clearRequests()
    const pushed = await Promise.all(['first', 'other'].map((name) => machine(name).push()))
    expect(new Set(pushed.flat().map(({ outcome }) => outcome))).toEqual(new Set(['shared']))
    await has(await machine('empty').get('org/name'), SECOND)
  })

  test('old objects are pruned keeps what the map of a later revision names', async () => {
    await push('first', FIRST)
    const old = await keysOf('')
    for (const key of old) await utimes(join(shared(), key), 1, 1)
    await push('first', SECOND)
    const { removed, kept } = await pruneRemote(machine('first').context, { olderThanMs: 60_000 })
    expect(removed).toMatchObject({ blob: { objects: 0 }, listing: { objects: 1 } })
    expect(kept.bytes).toBeGreaterThan(SIZE)
    await has(await machine('empty').get('org/name'), SECOND)
    for (const key of await keysOf('')) await utimes(join(shared(), key), 1, 1)
    await pruneRemote(machine('first').context, { olderThanMs: 60_000 })
    expect(await keysOf('')).toEqual([])
  })
})

/** A store that honours ranges, and that fails after some writes. */
class RangedMemory extends MemoryRemote {
  readonly ranges = true
  writesLeft = Number.POSITIVE_INFINITY

  readBytes = 0

  override async get(key: string, { start, end }: { start?: number; end?: number } = {}) {
    const bytes = (await super.get(key))?.subarray(start, end)
    this.readBytes += bytes?.length ?? 0
    return bytes
  }

  override async put(...given: Parameters<MemoryRemote['put']>): Promise<unknown> {
    if (this.writesLeft-- <= 0) throw new Error('There was an accident')
    return super.put(...given)
  }
}

async function keysOf(folder: string): Promise<string[]> {
  const entries = await readdir(join(shared(), folder), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(shared(), join(entry.parentPath, entry.name)))
}

const digestOf = (weights: Buffer) => `sha256:${sha256(weights)}` as const

function flip(from: Buffer): Buffer {
  const flipped = Buffer.from(from)
  flipped[1000] = (flipped[1000] ?? 0) ^ 1
  return flipped
}

/** A map that says that the first part is elsewhere. */
function movePart(from: Buffer): Buffer {
  return withFirstPart(from, (first) => ({ ...first, start: first.start + 1 }))
}

/** A map that names an object that the store does not have. */
function nameOther(from: Buffer): Buffer {
  return withFirstPart(from, (first) => ({ ...first, source: { ...first.source, digest: digestOf(THIRD) } }))
}

function withFirstPart(from: Buffer, change: (first: MappedPart) => MappedPart): Buffer {
  const map = parseMap(from, SIZE)
  const [first, ...rest] = map.parts
  if (!first) throw new Error('There is no part')
  return Buffer.from(printMap({ ...map, parts: [change(first), ...rest] }))
}
