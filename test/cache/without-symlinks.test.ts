import { lstat, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { CachedModel } from '../../src/cache/cached-model.ts'
import { contentsOf, Engine, pathsOf } from '../support/engine.ts'

// Not every machine has a file system without links. So Node.js's functions are made to fail as they do on such a file system.
const { refused, NFS } = vi.hoisted(() => ({ refused: new Set<string>(), NFS: 0x6969 }))

vi.mock('node:fs', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs')>()
  const refusing =
    <Args extends unknown[], Result>(name: string, call: (...args: Args) => Result) =>
    (...args: Args): Result => {
      if (refused.has(name)) throw Object.assign(new Error(`EPERM: ${name}`), { code: 'EPERM' })
      return call(...args)
    }
  const { symlinkSync, linkSync } = original
  const renameSync = (from: string, to: string) => {
    const isMove = basename(dirname(from)) === 'incoming' && basename(dirname(to)) !== 'incoming'
    if (refused.has('rename') && isMove) throw Object.assign(new Error('EXDEV: rename'), { code: 'EXDEV' })
    original.renameSync(from, to)
  }
  const links = { symlinkSync: refusing('symlink', symlinkSync), linkSync: refusing('link', linkSync) }
  const statfsSync = (path: string) => ({ ...original.statfsSync(path), ...(refused.has('own disk') && { type: NFS }) })
  return { ...original, ...links, renameSync, statfsSync }
})

// Not every machine has a second disk either.
vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs/promises')>()
  const rename = async (from: string, to: string) => {
    const isMove = basename(dirname(from)) === 'incoming' && basename(dirname(to)) !== 'incoming'
    if (refused.has('rename') && isMove) throw Object.assign(new Error('EXDEV: rename'), { code: 'EXDEV' })
    return original.rename(from, to)
  }
  return { ...original, rename }
})

const FILES = { 'config.json': '{}', 'deep/model.onnx': 'graph', 'deep/model.onnx_data': 'weights'.repeat(2_000) }

async function start(...missing: string[]): Promise<Engine> {
  for (const name of missing) refused.add(name)
  const engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/name', { files: FILES })
  return engine
}

afterEach(() => refused.clear())

async function kinds(model: CachedModel) {
  const stats = await Promise.all(pathsOf(model).map((path) => lstat(model.file(path))))
  return [...new Set(stats.map((file) => (file.isSymbolicLink() ? 'symlink' : file.nlink === 2 ? 'hardlink' : 'copy')))]
}

describe.each([
  ['hard links', ['symlink'], 'hardlink'],
  ['copies', ['symlink', 'link'], 'copy'],
  ['copies from another disk', ['symlink', 'link', 'rename'], 'copy'],
])('where only %s are permitted', (_, missing, kind) => {
  test('all files of a snapshot are made in this way, and then served', async () => {
    const engine = await start(...missing)
    const model = await engine.open().get('org/name')
    expect(await kinds(model)).toEqual([kind])
    expect(await contentsOf(model)).toEqual(FILES)
    engine.hub.clearRequests()
    expect((await engine.open().get('org/name')).tier).toBe('disk')
    expect((await engine.open({ offline: true }).verify()).problems).toEqual([])
    expect(engine.hub.requests).toEqual([])
    expect(await engine.listing('incoming')).toEqual([])
  })

  test('a changed file is repaired, and the others stay', async () => {
    const engine = await start(...missing)
    const model = await engine.open().get('org/name')
    const before = await stat(model.file('deep/model.onnx'))
    await rm(model.file('config.json'))
    await writeFile(model.file('config.json'), '[]')
    const again = await engine.open().get('org/name')
    expect(await contentsOf(again)).toEqual(FILES)
    expect((await stat(model.file('deep/model.onnx'))).mtimeMs).toBe(before.mtimeMs)
    expect((await engine.open().get('org/name')).tier).toBe('disk')
  })

  test('lost metadata is rebuilt', async () => {
    const engine = await start(...missing)
    await engine.open().get('org/name')
    await rm(engine.inCache('cache_metadata.json'))
    engine.hub.clearRequests()
    const model = await engine.open().get('org/name')
    expect(model.tier).toBe('disk')
    expect(await contentsOf(model)).toEqual(FILES)
    expect(engine.hub.requests).toEqual([])
  })

  test('removing the model removes all its files', async () => {
    const engine = await start(...missing)
    await engine.open().get('org/name')
    await engine.open().remove('org/name')
    expect(await engine.listing('hub')).toEqual([])
  })
})

test.each([
  ['hard links', ['symlink'], 'mapped'],
  ['copies', ['symlink', 'link'], 'plain'],
  ['symbolic links from another disk', ['rename'], 'mapped'],
  ['symbolic links on a network disk', ['own disk'], process.platform === 'linux' ? 'plain' : 'mapped'],
])('an ONNX file whose snapshot has %s is loaded in the right way: %s', async (_, missing, way) => {
  const engine = await start(...missing)
  await engine.addEmbeddings('org/encoder', { size: 1_200_000 })
  const cache = engine.open()
  const file = (await cache.get('org/encoder')).file('onnx/model.onnx')
  expect((await cache.pathToLoad(file)).way).toBe(way)
  expect((await engine.listing('hub')).filter((path) => path.endsWith('.mapped.onnx'))).toHaveLength(
    way === 'mapped' ? 1 : 0,
  )
  await cache.remove('org/encoder')
  expect(await engine.listing('hub')).toEqual([])
})
