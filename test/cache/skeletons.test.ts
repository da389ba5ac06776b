import { chmod, cp, link, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { scanCacheDir } from '@huggingface/hub'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { ModelCache } from '../../src/cache/index.ts'
import { madeOf, TRAILER_LENGTH, trailerFor } from '../../src/cache/store/skeletons/trailer.ts'
import type { Digest } from '../../src/model/digest.ts'
import { Engine } from '../support/engine.ts'
import { canMount, mountMemory } from '../support/mount.ts'

const REPO = 'org/encoder'
const FOLDER = 'hub/models--org--encoder'
const ENDING = '.mapped.onnx'
const NO_DIGEST: Digest = `sha256:${'0'.repeat(64)}`

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  await engine.addEmbeddings(REPO, { size: 1_200_000 })
  await engine.open().get(REPO)
})

/** The paths of all skeletons below `hub`. */
async function skeletons(): Promise<string[]> {
  return (await engine.listing('hub'))
    .filter((path) => path.endsWith(ENDING))
    .map((path) => engine.inCache('hub', path))
}

/** The path of the only skeleton. */
async function skeleton(): Promise<string> {
  const [path = 'none', ...others] = await skeletons()
  expect(others).toEqual([])
  return path
}

/** The way in which the model of a repo is loaded, by a process that uses this cache. */
async function wayOf(cache: ModelCache, repo = REPO): Promise<string> {
  return (await cache.pathToLoad((await cache.get(repo)).file('onnx/model.onnx'))).way
}

/** The path of the model's file, without a look at its content. */
async function fileOfSnapshot(): Promise<string> {
  const [entry] = await engine.open().list()
  return engine.inCache(FOLDER, 'snapshots', entry?.commit ?? 'none', 'onnx/model.onnx')
}

async function rewrite(path: string, change: (bytes: Buffer) => Uint8Array): Promise<void> {
  const bytes = change(await readFile(path))
  await rm(path)
  await writeFile(path, bytes)
}

describe('a skeleton is made', () => {
  test('after the download, beside its blob and read-only', async () => {
    const path = await skeleton()
    const blob = path.slice(0, -ENDING.length)
    expect((await stat(path)).mode & 0o777).toBe(0o444)
    expect(madeOf(await readFile(path))?.size).toBe((await stat(blob)).size)
    expect(await wayOf(engine.open())).toBe('mapped')
  })

  test('at the warm-up, or when it is first needed, if it was lost', async () => {
    const made = await readFile(await skeleton())
    await rm(await skeleton())
    await engine.open().warm([REPO])
    expect(await readFile(await skeleton())).toEqual(made)
    await rm(await skeleton())
    const cache = engine.open()
    expect(await wayOf(cache)).toBe('mapped')
    expect(await readFile(await skeleton())).toEqual(made)
    // Also when this process has used it before.
    await rm(await skeleton())
    expect(await wayOf(cache)).toBe('mapped')
    expect(await readFile(await skeleton())).toEqual(made)
  })

  test.each<[string, (bytes: Buffer) => Uint8Array]>([
    ['was cut off', (bytes) => bytes.subarray(0, bytes.length - 10)],
    ['is empty', () => new Uint8Array()],
    ['is full of zeros', (bytes) => Buffer.alloc(bytes.length)],
    ['has a changed byte', (bytes) => Buffer.from(bytes.map((byte, at) => (at === 100 ? byte ^ 1 : byte)))],
    ['was made of another blob', (bytes) => forged(bytes, NO_DIGEST)],
    [
      'is of another version',
      (bytes) => Buffer.from(bytes.toString('latin1').replace('1 sha256', '9 sha256'), 'latin1'),
    ],
  ])('anew when it %s', async (_, change) => {
    const path = await skeleton()
    const made = await readFile(path)
    await rewrite(path, change)
    expect(await wayOf(engine.open())).toBe('mapped')
    expect(await readFile(path)).toEqual(made)
  })

  test('anew when its blob was damaged, and another tool put the blob right', async () => {
    const path = await skeleton()
    const blob = path.slice(0, -ENDING.length)
    const [made, right] = [await readFile(path), await readFile(blob)]
    const replaceBlob = async (bytes: Uint8Array) => {
      await writeFile(`${blob}.new`, bytes)
      await rename(`${blob}.new`, blob)
    }
    await rm(path)
    await replaceBlob(Buffer.from(right.toString('latin1').replaceAll('\x03Add', '\x03Sub'), 'latin1'))
    const link = await fileOfSnapshot()
    expect((await engine.open().pathToLoad(link)).way).toBe('mapped')
    expect(await readFile(path)).not.toEqual(made)
    await replaceBlob(right)
    expect(await wayOf(engine.open())).toBe('mapped')
    expect(await readFile(path)).toEqual(made)
  })

  test('anew by `verify` when it differs from what its blob gives', async () => {
    const path = await skeleton()
    const made = await readFile(path)
    const { digest } = madeOf(made) ?? { digest: NO_DIGEST }
    await rewrite(path, (bytes) =>
      forged(Buffer.from(bytes.toString('latin1').replace('offset', 'offses'), 'latin1'), digest),
    )
    expect((await engine.open().verify()).problems).toEqual([])
    expect(await readFile(path)).toEqual(made)
  })

  test('not for a small model, and not with `load: plain`', async () => {
    await engine.addEmbeddings('org/small', { size: 60_000 })
    await engine.open().get('org/small')
    await engine.open().remove(REPO)
    await engine.open({ load: 'plain' }).warm([REPO])
    expect(await skeletons()).toEqual([])
  })
})

/** The skeleton with a right trailer for its present bytes. */
function forged(bytes: Buffer, digest: Digest): Uint8Array {
  const model = bytes.subarray(0, bytes.length - TRAILER_LENGTH)
  return Buffer.concat([model, trailerFor(model, { digest, size: madeOf(bytes)?.size ?? 0 })])
}

describe('a skeleton is removed', () => {
  test.each<[string, (cache: ModelCache) => Promise<{ freedBytes: number }>]>([
    ['rm', (cache) => cache.remove(REPO)],
    ['clean', (cache) => cache.clean()],
    ['an eviction', () => engine.open({ maxSize: 1 }).maintain()],
    ['an expiry', () => engine.open({ maxAge: -1 }).maintain()],
  ])('with its blob by %s, and counts to the freed bytes', async (_, remove) => {
    const files = await engine.listing(FOLDER, 'blobs')
    const sizes = await Promise.all(files.map(async (name) => (await stat(engine.inCache(FOLDER, 'blobs', name))).size))
    const { freedBytes } = await remove(engine.open())
    expect(await engine.listing('hub')).toEqual([])
    expect(await readdir(engine.inCache('hub'))).toEqual([])
    expect(freedBytes).toBe(sizes.reduce((sum, size) => sum + size, 0))
  })

  test('when its blob is gone, by maintenance', async () => {
    const path = await skeleton()
    await rm(path.slice(0, -ENDING.length), { force: true })
    const orphan = join(dirname(path), 'f'.repeat(64))
    await writeFile(`${orphan}${ENDING}`, 'left')
    await writeFile(join(dirname(path), `mine${ENDING}`), 'mine')
    await engine.open().maintain()
    expect(await readdir(dirname(path))).toContain(`mine${ENDING}`)
    expect(await skeletons()).toEqual([join(dirname(path), `mine${ENDING}`)])
  })
})

test('the folder of a model that an earlier version removed is removed with the skeleton that it left', async () => {
  const path = await skeleton()
  const bytes = await readFile(path)
  await rm(engine.inCache(FOLDER), { recursive: true })
  await rm(engine.inCache('cache_metadata.json'))
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
  const { orphans } = await engine.open().optimize()
  expect(orphans).toEqual({ files: 1, bytes: bytes.length })
  expect(await readdir(engine.inCache('hub'))).toEqual([])
})

describe.skipIf(!canMount)('on a small disk', () => {
  /** A copy of the cache, in which the model has no skeleton. */
  async function copyOnDisk() {
    const cacheDir = join(engine.folder, 'small disk')
    const disk = mountMemory(cacheDir, 4)
    onTestFinished(disk.unmount)
    await cp(engine.cacheDir, cacheDir, { recursive: true, verbatimSymlinks: true })
    const copied = join(cacheDir, (await skeleton()).slice(engine.cacheDir.length))
    return { cacheDir, disk, copied }
  }

  test('that is full, a model without a skeleton is loaded plainly', async () => {
    const { cacheDir, copied } = await copyOnDisk()
    const cache = engine.open({ cacheDir, offline: true })
    const file = (await cache.get(REPO)).file('onnx/model.onnx')
    await rm(copied)
    await writeFile(join(cacheDir, 'incoming', 'filler'), Buffer.alloc(8 << 20)).catch(() => undefined)
    expect(await cache.pathToLoad(file)).toMatchObject({ way: 'plain', reason: expect.stringContaining('ENOSPC') })
    expect((await engine.open({ cacheDir, offline: true }).warm([REPO]))[0]).toMatchObject({ cached: { tier: 'disk' } })
    expect((await readdir(join(cacheDir, 'incoming'))).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  test('that is read-only, a skeleton is used and none is made', async () => {
    const { cacheDir, disk, copied } = await copyOnDisk()
    disk.makeReadOnly()
    expect(await wayOf(engine.open({ cacheDir, offline: true }))).toBe('mapped')
    disk.makeWritable()
    await rm(copied)
    disk.makeReadOnly()
    expect(await wayOf(engine.open({ cacheDir, offline: true }))).toBe('plain')
  })
})

describe('a skeleton is counted', () => {
  test('by the size of the cache and by its disk use, and not as a file of the model', async () => {
    const { size } = await stat(await skeleton())
    const [entry] = await engine.open().list()
    const files = [...(entry?.files.values() ?? [])].reduce((sum, file) => sum + file.size, 0)
    const cache = engine.open()
    expect((await cache.statistics()).size).toBe(files + size)
    expect(await cache.status()).toMatchObject({
      bytes: files + size,
      files: entry?.files.size,
      shared: { files: 0, bytes: 0 },
    })
    const before = (await cache.diskUse()).diskBytes
    await rm(await skeleton())
    expect(before - (await cache.diskUse()).diskBytes).toBeGreaterThanOrEqual(size)
  })
})

describe('a cache with skeletons', () => {
  test('is the same for other readers as without them', async () => {
    const scan = async () => JSON.stringify([await scanCacheDir(engine.inCache('hub')), await scanAsPython()])
    const withSkeleton = await scan()
    await rm(await skeleton())
    expect(await scan()).toBe(withSkeleton)
  })

  test('gives the same models when its metadata is lost', async () => {
    const paths = async () => (await engine.open().list()).map(({ files }) => [...files.keys()].sort())
    const before = await paths()
    await rm(engine.inCache('cache_metadata.json'))
    expect(await paths()).toEqual(before)
    expect(await wayOf(engine.open())).toBe('mapped')
  })
})

/** What huggingface_hub's `scan_cache_dir` reads of a repo: the files of its snapshots, the blobs behind them, and its refs. */
async function scanAsPython(): Promise<unknown> {
  const snapshots = await engine.listing(FOLDER, 'snapshots')
  const blobs = snapshots.map(async (path) => [path, (await stat(engine.inCache(FOLDER, 'snapshots', path))).size])
  return [await readdir(engine.inCache(FOLDER)), await Promise.all(blobs), await engine.listing(FOLDER, 'refs')]
}

describe('a file is loaded plainly', () => {
  test('in a folder into which others can write', async () => {
    await chmod(engine.inCache(FOLDER), 0o777)
    const cache = engine.open()
    const file = (await cache.get(REPO)).file('onnx/model.onnx')
    expect(await cache.pathToLoad(file)).toEqual({
      path: file,
      way: 'plain',
      reason: expect.stringContaining('can be written by every user'),
    })
  })

  test.each(['', 'blobs'])('when its folder is a link into another cache: models--org--encoder/%s', async (linked) => {
    const [folder, outside] = [engine.inCache(FOLDER, linked), join(engine.folder, 'outside')]
    await rename(folder, outside)
    await symlink(outside, folder)
    const before = await readdir(outside)
    await rm(
      join(
        outside,
        linked === '' ? 'blobs' : '',
        (await readdir(join(outside, linked === '' ? 'blobs' : ''))).find((name) => name.endsWith(ENDING)) ?? '',
      ),
    )
    const cache = engine.open()
    expect(await wayOf(cache)).toBe('plain')
    expect((await readdir(outside)).length).toBeLessThanOrEqual(before.length)
    expect((await readdir(outside, { recursive: true })).filter((name) => name.endsWith(ENDING))).toEqual([])
  })

  test('when its blob is a link to another cache', async () => {
    const blob = (await skeleton()).slice(0, -ENDING.length)
    const outside = join(engine.folder, 'outside')
    await rename(blob, outside)
    await symlink(outside, blob)
    expect(await wayOf(engine.open())).toBe('plain')
  })
})

describe('a file is mapped', () => {
  test('also where `hub` or the cache folder is a link', async () => {
    const [hub, outside] = [engine.inCache('hub'), join(engine.folder, 'outside')]
    await rename(hub, outside)
    await symlink(outside, hub)
    await rm(await skeleton())
    const cache = engine.open()
    const { path, way } = await cache.pathToLoad((await cache.get(REPO)).file('onnx/model.onnx'))
    expect(way).toBe('mapped')
    expect(path).toContain(outside)
    const [linked, own] = [join(engine.folder, 'linked'), engine.open({ cacheDir: join(engine.folder, 'linked') })]
    await symlink(engine.cacheDir, linked)
    expect(await own.pathToLoad((await own.get(REPO)).file('onnx/model.onnx'))).toEqual({ path, way })
    await engine.open().remove(REPO)
    expect(await readdir(outside)).toEqual([])
  })

  test('when it was adopted from another cache, which gets no skeleton', async () => {
    const other = join(engine.folder, 'other')
    await cp(engine.inCache('hub'), other, { recursive: true, verbatimSymlinks: true })
    await rm(join(other, 'models--org--encoder/blobs'), { recursive: true })
    await mkdir(join(other, 'models--org--encoder/blobs'))
    for (const name of await readdir(engine.inCache(FOLDER, 'blobs')))
      if (!name.endsWith(ENDING))
        await link(engine.inCache(FOLDER, 'blobs', name), join(other, 'models--org--encoder/blobs', name))
    const before = await readdir(join(other, 'models--org--encoder/blobs'))
    const cache = engine.open({ cacheDir: join(engine.folder, 'second'), adoptFrom: [other] })
    expect((await cache.get(REPO)).tier).toBe('adopted')
    expect(await wayOf(cache)).toBe('mapped')
    expect(await readdir(join(other, 'models--org--encoder/blobs'))).toEqual(before)
  })
})
