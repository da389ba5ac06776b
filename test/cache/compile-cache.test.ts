import { chmod, mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { compileFolder, trimCompiledCode } from '../../src/cache/store/compile-cache.ts'
import { Engine } from '../support/engine.ts'

const DAY_MS = 86_400_000
const NEW = 'v24.21.0-x64-964aae3f-1000'
const OLD = 'v22.12.0-x64-00250a7c-1000'

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/name', { files: { 'config.json': '{}' } })
  await engine.open().get('org/name')
})

/** Creates files of a folder in `compile/`, which last changed `ageMs` ago. */
async function place(folder: string, names: string[], ageMs = 0): Promise<void> {
  const path = engine.inCache('compile', folder)
  await mkdir(path, { recursive: true, mode: 0o700 })
  for (const name of names) await writeFile(join(path, name), 'code')
  const then = (Date.now() - ageMs) / 1000
  await utimes(path, then, then)
}

async function placed(): Promise<string[]> {
  const found = await readdir(engine.inCache('compile'), { recursive: true, withFileTypes: true })
  return found.flatMap((entry) => (entry.isFile() ? [entry.name] : [])).sort()
}

test('compiled code of a version of Node.js that added nothing for 30 days is removed, and no other file', async () => {
  await place(NEW, ['00000000', '00000001.cache'], 29 * DAY_MS)
  await place(OLD, ['11111111', '11111112.cache', '11111113.XyZ012', 'notes.txt'], 31 * DAY_MS)
  await place('theirs', ['22222222'], 31 * DAY_MS)
  expect(await engine.open().status()).toMatchObject({ code: { files: 5, bytes: 20 } })
  expect(await engine.open().optimize({ dryRun: true })).toMatchObject({ code: { files: 3, bytes: 12 } })
  expect(await placed()).toHaveLength(7)
  await engine.open().maintain()
  expect(await placed()).toEqual(['00000000', '00000001.cache', '22222222', 'notes.txt'])
})

test('a temporary file that a killed process left is removed after a day', async () => {
  await place(NEW, ['00000000', '00000001.a1B2c3', '00000002.a1B2c3'])
  const long = (Date.now() - 2 * DAY_MS) / 1000
  for (const name of ['00000000', '00000001.a1B2c3']) await utimes(engine.inCache('compile', NEW, name), long, long)
  expect(await trimCompiledCode(engine.open().context.layout)).toEqual({ files: 1, bytes: 4 })
  expect(await placed()).toEqual(['00000000', '00000002.a1B2c3'])
})

test('compiled code that grew too large is removed', async () => {
  await place(NEW, ['00000000'])
  await place(OLD, ['11111111', '11111112'])
  const { layout } = engine.open().context
  expect(await trimCompiledCode(layout, { mostModules: 1 })).toEqual({ files: 2, bytes: 8 })
  expect(await placed()).toEqual(['00000000'])
})

test('clean removes compiled code with all models, and not with some', async () => {
  await place(NEW, ['00000000'])
  expect((await engine.open().clean({ olderThan: 0 })).code.files).toBe(0)
  expect((await engine.open().clean({ dryRun: true })).code).toEqual({ files: 1, bytes: 4 })
  expect((await engine.open().clean()).freedBytes).toBe(4)
  expect(await placed()).toEqual([])
})

test('workers use the folder only if nobody else can change it, and if it is no link', async () => {
  const folder = engine.inCache('compile')
  const { context } = engine.open()
  expect(compileFolder(context)).toBe(folder)
  expect(compileFolder(context)).toBe(folder)
  await chmod(folder, 0o750)
  expect(compileFolder(context)).toBeUndefined()
  await chmod(folder, 0o700)
  await chmod(engine.cacheDir, 0o777)
  expect(compileFolder(context)).toBeUndefined()
  await chmod(engine.cacheDir, 0o700)
  expect(compileFolder(context)).toBe(folder)
  const linked = await Engine.start(onTestFinished)
  await linked.open().prepare()
  await symlink(folder, linked.inCache('compile'))
  expect(compileFolder(linked.open().context)).toBeUndefined()
  expect(linked.open().context.refusal).toMatchObject({ code: 'CACHE_UNUSABLE' })
})
