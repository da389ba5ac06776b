import { existsSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { chmod, realpath, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { CachedModel } from '../../src/cache/cached-model.ts'
import { contentsOf, Engine, refusalOf } from '../support/engine.ts'

const FILES = { 'config.json': '{"model_type":"bert"}', 'deep/weights.bin': 'weights'.repeat(2_000) }

const TIME = 1_700_000_000

let engine: Engine
let model: CachedModel

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/name', { files: FILES })
  engine.hub.addRepo('org/other', { files: { 'config.json': '{}' } })
  model = await engine.open().get('org/name')
  await engine.open().get('org/other')
  // A time that can be set again exactly. The next `get` records it.
  await utimes(model.file('deep/weights.bin'), TIME, TIME)
  await engine.open().get('org/name')
  engine.hub.clearRequests()
})

/** Writes other bytes of the same length, and keeps time and inode, as a failing disk does. */
async function rot(file: string): Promise<void> {
  const path = model.file(file)
  const { size } = await stat(path)
  await chmod(path, 0o644)
  await writeFile(path, 'x'.repeat(size), { flag: 'r+' })
  await utimes(path, TIME, TIME)
}

describe('verify', () => {
  test('does not report or distrust a file that another process downloaded again meanwhile', async () => {
    const weights = model.file('deep/weights.bin')
    const blob = await realpath(weights)
    await rm(blob)
    const downloadAgain = () => {
      if (existsSync(blob)) return
      writeFileSync(blob, FILES['deep/weights.bin'])
      utimesSync(blob, TIME + 1, TIME + 1)
      const records = readFileSync(engine.inCache('cache_metadata.json'), 'utf8')
      const before = new RegExp(`"mtimeMs":${TIME}000,"ino":"\\d+"`)
      expect(records).toMatch(before)
      const now = `"mtimeMs":${TIME + 1}000,"ino":"${statSync(blob).ino}"`
      writeFileSync(engine.inCache('cache_metadata.json'), records.replace(before, now))
    }
    const { problems } = await engine.open().verify(undefined, { onProgress: downloadAgain })
    expect(problems).toEqual([])
  })

  test('reports no problems in a sound cache', async () => {
    const bytes = Object.values(FILES).join('').length + 2
    expect(await engine.open().verify()).toEqual({ entries: 2, files: 3, bytes, problems: [] })
    expect(engine.hub.requests).toEqual([])
  })

  test('names each damaged file and its flaw', async () => {
    await rot('deep/weights.bin')
    await rm(model.file('config.json'))
    const { problems } = await engine.open().verify()
    const of = { repo: 'org/name', revision: 'main', commit: model.commit, endpoint: engine.hub.url }
    const where = { ...of, isRepaired: false }
    expect(problems.sort((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
      { ...where, path: 'config.json', what: 'missing' },
      { ...where, path: 'deep/weights.bin', what: 'wrong digest' },
    ])
    expect(engine.hub.requests).toEqual([])
  })

  test('makes the next request replace a damaged file', async () => {
    await rot('deep/weights.bin')
    await engine.open().verify()
    const again = await engine.open().get('org/name')
    expect(await contentsOf(again)).toEqual(FILES)
    expect(again.repaired).toEqual(['deep/weights.bin'])
    expect(engine.filesAsked).toEqual(['deep/weights.bin'])
  })

  test('with `repair` downloads the damaged files again, and changes nothing else', async () => {
    await rot('deep/weights.bin')
    const before = await engine.records()
    const { problems } = await engine.open().verify(undefined, { repair: true })
    expect(problems).toMatchObject([{ path: 'deep/weights.bin', what: 'wrong digest', isRepaired: true }])
    expect(engine.filesAsked).toEqual(['deep/weights.bin'])
    expect((await engine.open().verify()).problems).toEqual([])
    const after = await engine.records()
    expect(after.map(({ lastAccessDate, revision }) => [lastAccessDate, revision])).toEqual(
      before.map(({ lastAccessDate, revision }) => [lastAccessDate, revision]),
    )
  })

  test('names the files that could not be repaired, with the reason', async () => {
    await rot('deep/weights.bin')
    const { problems } = await engine.open({ offline: true }).verify(undefined, { repair: true })
    expect(problems).toMatchObject([{ isRepaired: false, error: expect.stringContaining('offline') }])
  })

  test('checks only the models that it is given', async () => {
    await rot('deep/weights.bin')
    expect(await engine.open().verify(['org/other'])).toMatchObject({ entries: 1, problems: [] })
    expect(await refusalOf(engine.open().verify(['org/none']))).toMatchObject({ code: 'MODEL_NOT_FOUND' })
  })

  test('reports no problem for a model that is removed meanwhile', async () => {
    const files = Array.from({ length: 20 }, (_, index) => [`${index}.bin`, Buffer.alloc(1 << 20, index)])
    engine.hub.addRepo('org/removed', { files: Object.fromEntries(files) })
    await engine.open().get('org/removed')
    let removing: Promise<unknown> | undefined
    const onProgress = () => {
      removing ??= engine.open().remove('org/removed')
    }
    expect((await engine.open().verify(undefined, { onProgress })).problems).toEqual([])
    await removing
  })

  test('reports its progress', async () => {
    const seen: number[] = []
    await engine.open().verify(undefined, { onProgress: ({ files, bytes }) => seen.push(files, bytes) })
    const { files, bytes } = await engine.open().verify()
    expect(seen.slice(-2)).toEqual([files, bytes])
  })

  test('can be aborted', async () => {
    const controller = new AbortController()
    const onProgress = () => controller.abort(new Error('enough'))
    await expect(engine.open().verify(undefined, { signal: controller.signal, onProgress })).rejects.toThrow()
  })
})

describe('a hit', () => {
  test('is checked by size, time and inode, and a changed file is repaired with a warning', async () => {
    const path = model.file('deep/weights.bin')
    await chmod(path, 0o644)
    await writeFile(path, 'x'.repeat(FILES['deep/weights.bin'].length))
    const again = await engine.open().get('org/name')
    expect(again).toMatchObject({ tier: 'hub', repaired: ['deep/weights.bin'] })
    expect(await contentsOf(again)).toEqual(FILES)
    expect(engine.warnings).toEqual([expect.stringContaining('is not what the Hub stated')])
  })

  test("is checked by its digest with `validate: 'digest'`", async () => {
    expect((await engine.open({ validate: 'digest' }).get('org/name')).tier).toBe('disk')
    await rot('deep/weights.bin')
    expect((await engine.open().get('org/name')).tier).toBe('disk')
    const again = await engine.open({ validate: 'digest' }).get('org/name')
    expect(again).toMatchObject({ tier: 'hub', repaired: ['deep/weights.bin'] })
    expect(await contentsOf(again)).toEqual(FILES)
  })

  test("is checked only for its presence with `validate: 'none'`", async () => {
    const path = model.file('deep/weights.bin')
    await chmod(path, 0o644)
    await writeFile(path, 'mine')
    expect((await engine.open({ validate: 'none' }).get('org/name')).tier).toBe('disk')
    await rm(path)
    expect((await engine.open({ validate: 'none' }).get('org/name')).tier).toBe('hub')
  })

  test('is checked by its digest in a folder into which others can write, with a warning', async () => {
    await chmod(engine.cacheDir, 0o777)
    await rot('deep/weights.bin')
    expect((await engine.open().get('org/name')).repaired).toEqual(['deep/weights.bin'])
    expect(engine.warnings).toContainEqual(expect.stringMatching(/can be written by every user.*chmod 700/))
  })

  test.skipIf(process.geteuid?.() !== 0)('is checked by its digest in a folder of another user', async () => {
    const { chown } = await import('node:fs/promises')
    await chown(engine.cacheDir, 4242, 4242)
    await rot('deep/weights.bin')
    expect((await engine.open().get('org/name')).repaired).toEqual(['deep/weights.bin'])
    expect(engine.warnings).toContainEqual(expect.stringContaining('belongs to another user (uid 4242)'))
  })
})
