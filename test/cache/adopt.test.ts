import { chmod, chown, mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { snapshotDownload } from '@huggingface/hub'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { contentsOf, Engine, pathsOf, refusalOf } from '../support/engine.ts'
import type { Repository } from '../support/hub/index.ts'
import { removeFolder } from '../support/remove-folder.ts'
import { makeRequest } from '../support/request.ts'

const WEIGHTS = 'weights'.repeat(2_000)
const FILES = { 'config.json': '{"model_type":"bert"}', 'deep/weights.bin': WEIGHTS }

let engine: Engine
let repository: Repository

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  repository = engine.hub.addRepo('org/name', { files: FILES })
})

const ownCache = () => join(engine.folder, 'huggingface')

/** Downloads the model into the user's own cache, as another tool does. */
async function download(): Promise<void> {
  const { commit: revision } = repository
  await snapshotDownload({ repo: 'org/name', revision, cacheDir: ownCache(), hubUrl: engine.hub.url })
  await mkdir(join(ownCache(), 'models--org--name/refs'), { recursive: true })
  await writeFile(join(ownCache(), 'models--org--name/refs/main'), revision)
  engine.hub.clearRequests()
}

/** Path, mode, time, inode and content of each file in a folder. */
async function stateOf(folder: string): Promise<unknown[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return Promise.all(
    paths.sort().map(async (path) => {
      const { mode, mtimeMs, ino } = await stat(path)
      return [path, mode, mtimeMs, ino, await readFile(path, 'latin1')]
    }),
  )
}

function open(options: Parameters<Engine['open']>[0] = {}) {
  return engine.open({ env: { HF_HUB_CACHE: ownCache() }, ...options })
}

describe("a model in the user's own Hugging Face cache", () => {
  test('is adopted in place of a download, and nothing there changes', async () => {
    await download()
    const before = await stateOf(ownCache())
    const model = await open().get('org/name')
    expect(model).toMatchObject({ tier: 'adopted', downloadMs: null, downloadedBytes: 0, adoptedBytes: model.bytes })
    expect(await contentsOf(model)).toEqual(FILES)
    expect(engine.filesAsked).toEqual([])
    expect(await stateOf(ownCache())).toEqual(before)
  })

  test('is adopted without a second copy, and stays when our model is removed', async () => {
    await download()
    const model = await open().get('org/name')
    expect((await stat(model.file('deep/weights.bin'))).nlink).toBe(2)
    const before = await stateOf(ownCache())
    await open().remove('org/name')
    expect(await stateOf(ownCache())).toEqual(before)
  })

  test.each(['before', 'after'])(
    'is copied if other users can write it, and a later change is not served: adopted %s they could',
    async (when) => {
      await download()
      const [name = ''] = (await readdir(join(ownCache(), 'models--org--name/blobs'))).filter(
        ({ length }) => length === 64,
      )
      const blob = join(ownCache(), 'models--org--name/blobs', name)
      // A cache of an older version may have hard links to files that others can write.
      if (when === 'before') await open().get('org/name')
      await chmod(blob, 0o664)
      const model = await open().get('org/name')
      expect((await stat(model.file('deep/weights.bin'))).nlink).toBe(1)
      const { atime, mtime } = await stat(blob)
      await writeFile(blob, 'x'.repeat(WEIGHTS.length))
      await utimes(blob, atime, mtime)
      expect(await contentsOf(await open().get('org/name'))).toEqual(FILES)
      expect(engine.filesAsked).toEqual([])
    },
  )

  test.skipIf(process.geteuid?.() !== 0)('is copied when it belongs to another user', async () => {
    await download()
    const blobs = join(ownCache(), 'models--org--name/blobs')
    for (const name of await readdir(blobs)) await chown(join(blobs, name), 1234, 1234)
    const model = await open().get('org/name')
    expect(model.tier).toBe('adopted')
    expect(await stat(model.file('deep/weights.bin'))).toMatchObject({ uid: 0, nlink: 1 })
    expect(engine.filesAsked).toEqual([])
  })

  test('is served from our own cache after it was adopted', async () => {
    await download()
    await open().get('org/name')
    engine.hub.clearRequests()
    expect(await open({ env: {} }).get('org/name')).toMatchObject({ tier: 'disk', adoptedBytes: 0 })
    expect(engine.hub.requests).toEqual([])
  })

  test('is found by HF_HOME and XDG_CACHE_HOME', async () => {
    await download()
    for (const env of [{ HF_HOME: join(engine.folder, 'home') }, { XDG_CACHE_HOME: join(engine.folder, 'xdg') }]) {
      const hub = 'HF_HOME' in env ? join(env.HF_HOME ?? '', 'hub') : join(env.XDG_CACHE_HOME ?? '', 'huggingface/hub')
      await mkdir(join(hub, '..'), { recursive: true })
      await symlink(ownCache(), hub)
      const cache = engine.open({ env, cacheDir: join(engine.folder, Object.keys(env)[0] ?? '') })
      expect((await cache.get('org/name')).tier).toBe('adopted')
    }
  })

  test('is verified, and a file with a wrong digest is downloaded', async () => {
    await download()
    const [blob = ''] = (await readdir(join(ownCache(), 'models--org--name/blobs'))).filter(
      (name) => name.length === 64,
    )
    const path = join(ownCache(), 'models--org--name/blobs', blob)
    await chmod(path, 0o644)
    await writeFile(path, 'x'.repeat(WEIGHTS.length))
    const model = await open().get('org/name')
    expect(model.tier).toBe('hub')
    expect(await contentsOf(model)).toEqual(FILES)
    expect(engine.filesAsked).toEqual(['deep/weights.bin'])
    expect(await readFile(path, 'utf8')).toBe('x'.repeat(WEIGHTS.length))
  })

  test('is not adopted with `adopt: false`', async () => {
    await download()
    expect(await open({ adopt: false }).get('org/name')).toMatchObject({ tier: 'hub', adoptedBytes: 0 })
  })

  test('is adopted offline too, by its own ref', async () => {
    await download()
    const model = await open({ offline: true }).get('org/name')
    expect(model.tier).toBe('adopted')
    expect(await contentsOf(model)).toEqual(FILES)
    expect(await open({ offline: true, env: {} }).get('org/name')).toMatchObject({ tier: 'disk' })
    expect(engine.hub.requests).toEqual([])
    // The Hub was not asked who may read the repo. Until it is, the repo counts as private.
    expect(await engine.records()).toMatchObject([{ access: 'unknown', commit: repository.commit }])
  })

  test('is adopted when the Hub can not be reached', async () => {
    await download()
    await engine.hub.stopListening()
    expect((await open().get('org/name')).tier).toBe('adopted')
  })

  test('is completed later when it lacks files of the repo', async () => {
    await download()
    await rm(join(ownCache(), 'models--org--name/snapshots', repository.commit, 'deep'), { recursive: true })
    await removeFolder(join(ownCache(), 'models--org--name/trees'))
    const { repo, commit, files } = await open({ offline: true }).get('org/name')
    expect([...files.keys()]).toEqual(['config.json'])
    await open().recordUses([makeRequest({ repo, commit, files: [...files] })])
    expect(pathsOf(await open({ offline: true, env: {} }).get('org/name'))).toEqual(['config.json'])
    expect(await contentsOf(await open({ env: {} }).get('org/name'))).toEqual(FILES)
  })

  test('is not served for another repo or revision', async () => {
    await download()
    expect(await refusalOf(open({ offline: true }).get('org/other'))).toMatchObject({ code: 'OFFLINE' })
    expect(await refusalOf(open({ offline: true }).get('org/name@v2'))).toMatchObject({ code: 'OFFLINE' })
  })

  test('is not adopted when HF_HUB_CACHE names our own cache', async () => {
    const env = { HF_HUB_CACHE: engine.inCache('hub'), HF_HOME: join(engine.folder, 'home') }
    expect((await open({ env }).get('org/name')).tier).toBe('hub')
    expect((await open({ env }).get('org/name')).tier).toBe('disk')
  })
})
