import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { withLock } from '../../src/cache/store/locks/lock.ts'
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

/** Creates a file with a modification time `ageMs` in the past. The age of a blob can't be set: it is its change time. */
async function place(ageMs: number, ...path: string[]): Promise<string> {
  const file = engine.inCache(...path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, 'left')
  const then = (Date.now() - ageMs) / 1000
  await utimes(file, then, then)
  return file
}

describe('after a kill', () => {
  test('temporary files are removed after a day, even if every run is warm', async () => {
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

  test('a lock that is left from the takeover of another lock is removed by the next maintenance', async () => {
    await engine.open().get('org/name')
    await place(2 * DAY_MS, 'cache_metadata.json.lock.takeover')
    await place(2 * DAY_MS, 'incoming', 'org%2Fname.lock.takeover')
    const kept = ['incoming/org%2Fother.lock.takeover', 'own.lock.takeover']
    await place(0, 'incoming', 'org%2Fother.lock.takeover')
    await place(2 * DAY_MS, 'own.lock.takeover')
    await engine.open().maintain()
    expect((await engine.listing()).filter((path) => path.includes('.takeover')).sort()).toEqual(kept)
  })

  test('a new unreferenced blob is kept, because it may belong to a download in progress', async () => {
    await engine.open().get('org/name')
    await place(0, 'hub/models--org--name/blobs', sha256('left'))
    await engine.open().maintain()
    expect(await readdir(engine.inCache('hub/models--org--name/blobs'))).toHaveLength(3)
  })
})

describe('files that were never verified', () => {
  test('are verified before they are served, even with validate "none"', async () => {
    const model = await engine.open().get('org/name')
    await rm(model.file('weights.bin'))
    await writeFile(model.file('weights.bin'), 'broken')
    await rm(engine.inCache('cache_metadata.json'))
    expect(await contentsOf(await engine.open({ validate: 'none' }).get('org/name'))).toEqual(FILES)
  })
})

test('a repo of another Hub with the same name does not replace the repo of this Hub', async () => {
  const other = await startHub()
  onTestFinished(() => other.close())
  other.addRepo('org/name', { files: { 'config.json': '{"other":true}' } })
  expect(await contentsOf(await engine.open().get('org/name'))).toEqual(FILES)
  const there = engine.open({ hub: { endpoint: other.url, concurrency: 8 } })
  expect(await contentsOf(await there.get('org/name'))).toEqual({ 'config.json': '{"other":true}' })
  expect(await contentsOf(await engine.open().get('org/name'))).toEqual(FILES)
})

test('the wait for a download by another process has the time limit of a download', async () => {
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

test('a request fails at once if the server asks for a wait that is too long', async () => {
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
