import { randomBytes } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { performance } from 'node:perf_hooks'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { Progress } from '../../src/cache/context/progress.ts'
import { shareByTheClock } from '../../src/cache/upkeep/downloads-at-once.ts'
import { recordedDownloadMs } from '../../src/model/entry.ts'
import { Engine } from '../support/engine.ts'
import { makeRequest } from '../support/request.ts'

const MEGABYTE = 1 << 20
const REPOS = ['org/one', 'org/two', 'org/three']

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  for (const repo of REPOS) engine.hub.addRepo(repo, { files: { 'weights.bin': randomBytes(MEGABYTE / 2) } })
})

/** The recorded download times of all models, in milliseconds. */
async function recorded(): Promise<number> {
  const entries = await engine.open().list()
  return entries.reduce((sum, entry) => sum + (recordedDownloadMs(entry, [...entry.files.keys()]) ?? Number.NaN), 0)
}

test('the recorded times of concurrent downloads add up to at most the elapsed time', async () => {
  engine.hub.throttle({ perConnection: 2 * MEGABYTE })
  const started = performance.now()
  const results = await engine.open().warm(REPOS)
  const elapsed = performance.now() - started
  expect(results.every((result) => 'cached' in result)).toBe(true)
  expect(await recorded()).toBeLessThanOrEqual(elapsed)
  expect(await recorded()).toBeGreaterThan(0)
})

test('the recorded times of processes that downloaded concurrently in a run add up to the elapsed time', async () => {
  const cache = engine.open()
  const served = await Promise.all(REPOS.map((repo) => engine.open().get(repo)))
  const requests = served.map(({ repo, commit, files }) => {
    const times = { lookupMs: 100, downloadMs: 900, recordedDownloadMs: 900 }
    return makeRequest({ repo, commit, tier: 'hub', at: 5_000, files: [...files], ...times })
  })
  const before = await recorded()
  await cache.recordUses(requests)
  expect(await recorded()).toBeCloseTo(before / 3)
  const [first, ...others] = requests
  if (!first) throw new Error('no request')
  expect(shareByTheClock([first])).toBe(1)
  expect(shareByTheClock([first, ...others.map((other) => ({ ...other, at: 5_450 }))])).toBeCloseTo(1350 / 2700)
  expect(shareByTheClock([first, ...others.map((other, index) => ({ ...other, at: 9_000 * index }))])).toBe(1)
  expect(shareByTheClock([{ ...first, downloadMs: null }])).toBe(1)
})

test('a resumed download counts only the bytes that were downloaded since', async () => {
  const size = 4 * MEGABYTE
  engine.hub.addRepo('org/large', { files: { 'weights.bin': randomBytes(size) } })
  engine.hub.throttle({ perConnection: 8 * MEGABYTE })
  const stop = new AbortController()
  const onProgress = ({ receivedBytes }: { receivedBytes: number }) => {
    if (receivedBytes > MEGABYTE) stop.abort(new Error('stopped'))
  }
  await expect(engine.open().get('org/large', { signal: stop.signal, onProgress })).rejects.toThrow('stopped')
  const [name = ''] = (await readdir(engine.inCache('incoming'))).filter((name) => name.endsWith('.incomplete'))
  const { size: before } = await stat(engine.inCache('incoming', name))
  expect(before).toBeGreaterThan(0)
  engine.hub.throttle({})
  const seen: Progress[] = []
  const cached = await engine.open().get('org/large', { onProgress: (progress) => void seen.push(progress) })
  expect(cached.downloadedBytes).toBe(size - before)
  expect(seen.at(-1)).toMatchObject({ receivedBytes: size, totalBytes: size })
})
