import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { withLock } from '../../src/cache/store/lock.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { contentsOf, Engine, refusalOf, sha256 } from '../support/engine.ts'
import { startHub } from '../support/hub/index.ts'

const FILES = { 'config.json': '{}', 'weights.bin': 'weights'.repeat(1_000) }
const DAY_MS = 86_400_000

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/name', { files: FILES })
})

/** Puts a file there that was last touched so long ago. A blob's own age can't be set: it is told by another clock. */
async function place(ageMs: number, ...path: string[]): Promise<string> {
  const file = engine.inCache(...path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, 'left')
  const then = (Date.now() - ageMs) / 1000
  await utimes(file, then, then)
  return file
}

describe('what a kill left', () => {
  test('of temporary files is removed after a day, also where every run is warm', async () => {
    await engine.open().get('org/name')
    const name = 'new.12345-0123456789ab.tmp'
    for (const folder of ['', 'incoming', 'leases', 'runs', 'renames']) {
      await place(2 * DAY_MS, folder, name)
      await place(0, folder, `${name.replace('12345', '54321')}`)
    }
    await engine.open().maintain()
    const left = (await engine.listing()).filter((path) => path.endsWith('.tmp'))
    expect(left.map((path) => path.split('/').at(-1))).toEqual(Array(5).fill('new.54321-0123456789ab.tmp'))
  })

  test('of a blob that nothing stands for is spared while it is young: a model may be on its way in', async () => {
    await engine.open().get('org/name')
    await place(0, 'hub/models--org--name/blobs', sha256('left'))
    await engine.open().maintain()
    expect(await readdir(engine.inCache('hub/models--org--name/blobs'))).toHaveLength(3)
  })
})

describe('files that were never verified', () => {
  test('are verified before they are served, also where the options check nothing', async () => {
    const model = await engine.open().get('org/name')
    await rm(model.file('weights.bin'))
    await writeFile(model.file('weights.bin'), 'broken')
    await rm(engine.inCache('cache_metadata.json'))
    expect(await contentsOf(await engine.open({ validate: 'none' }).get('org/name'))).toEqual(FILES)
  })
})

test("another Hub's names are not taken for this one's", async () => {
  const other = await startHub()
  onTestFinished(() => other.close())
  other.addRepo('org/name', { files: { 'config.json': '{"other":true}' } })
  expect(await contentsOf(await engine.open().get('org/name'))).toEqual(FILES)
  const there = engine.open({ hub: { endpoint: other.url, concurrency: 8 } })
  expect(await contentsOf(await there.get('org/name'))).toEqual({ 'config.json': '{"other":true}' })
  expect(await contentsOf(await engine.open().get('org/name'))).toEqual(FILES)
})

test('who waits for another process that brings a model in waits no longer than a model may take', async () => {
  await engine.open().get('org/name')
  await rm(join(engine.cacheDir, 'hub'), { recursive: true })
  const hub = { endpoint: engine.hub.url, concurrency: 8, timeoutMs: 300 }
  const { layout } = engine.open().context
  const cache = engine.open({ hub })
  let release: () => void = () => undefined
  let held: Promise<void> = Promise.resolve()
  await new Promise<void>((isHeld) => {
    const work = () => {
      isHeld()
      return new Promise<void>((resolve) => {
        release = resolve
      })
    }
    held = withLock(layout.lock(parseRepoId('org/name')), work)
  })
  expect(await refusalOf(cache.get('org/name'))).toMatchObject({
    reason: expect.stringContaining('Its download did not end within'),
  })
  release()
  await held
})

test('a wait that is longer than the Hub ever asks for is not waited', async () => {
  engine.hub.fault({ kind: 'api' }, { status: 429, retryAfter: 3_600 }, { times: 1 })
  expect(await refusalOf(engine.open().get('org/name'))).toMatchObject({ code: 'HUB_ERROR' })
})

test('an abort ends a verification', async () => {
  await engine.open().get('org/name')
  await engine.setRecord('org/name', { files: {}, selections: [] })
  const controller = new AbortController()
  const cache = engine.open({ onDebug: () => controller.abort(new Error('enough')) })
  await expect(cache.get('org/name', { signal: controller.signal })).rejects.toThrow('enough')
})
