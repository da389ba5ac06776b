import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import type { Progress } from '../../src/cache/context/progress.ts'
import { Rate } from '../../src/cache/intake/rate.ts'
import { originals } from '../../src/platform/originals.ts'
import { progressBar, progressLines } from '../../src/report/progress-lines.ts'
import { Engine } from '../support/engine.ts'

const MEGABYTE = 2 ** 20

let now = 0
beforeEach(() => {
  now = 0
})
afterEach(() => void vi.restoreAllMocks())

function useClock(): void {
  vi.spyOn(originals, 'monotonic').mockImplementation(() => now)
}

/** The lines that are printed while the given bytes come in each quarter of a second. */
function linesOf(totalBytes: number, quarters: number[], before = 0): string[] {
  useClock()
  const lines: string[] = []
  const show = progressLines((line) => lines.push(line))
  const rate = new Rate()
  let receivedBytes = before
  const tell = (more: Partial<Progress> = {}) =>
    show({ model: 'org/name', receivedBytes, totalBytes, elapsedMs: now, bytesPerSecond: rate.bytesPerSecond, ...more })
  tell()
  for (const bytes of quarters) {
    now += 250
    receivedBytes += bytes
    rate.saw(bytes)
    tell()
  }
  return lines
}

test('the time left is computed from the last seconds, and is not shown before it is meaningful', () => {
  const slow = Array(8).fill(1_000)
  const fast = Array(24).fill(5 * MEGABYTE)
  const lines = linesOf(150 * MEGABYTE, [...slow, ...fast])
  // The first line is printed while the download is slow.
  expect(lines[0]).toMatch(/^ ↓ org\/name [12](\.\d+)? [kK]\S+ of 150 Mi?B \(0%\)$/)
  const last = lines.at(-1) ?? ''
  expect(last).toMatch(/ · (1[5-9]|20)(\.\d+)? Mi?B\/s · [3-5](\.\d+)? s left$/)
  expect(lines.length).toBeLessThan(6)
})

test('the bytes of an earlier unfinished download count as received, but not for the rate', () => {
  const lines = linesOf(110 * MEGABYTE, Array(12).fill(MEGABYTE), 80 * MEGABYTE)
  expect(lines.at(-1)).toMatch(/\(8\d%\) · 4(\.\d+)? Mi?B\/s · [56](\.\d+)? s left$/)
})

test('a wait has one line when it begins, and none while the request is repeated', () => {
  useClock()
  const lines: string[] = []
  const show = progressLines((line) => lines.push(line))
  const progress = { model: 'org/name', receivedBytes: MEGABYTE, totalBytes: 2 * MEGABYTE, elapsedMs: 1 }
  show({ ...progress, receivedBytes: 0, totalBytes: 0 })
  show({ ...progress, totalBytes: 0, waitMs: 10_000 })
  now += 100
  // A second file waits too. A short wait has no line.
  show({ ...progress, waitMs: 10_000 })
  show({ ...progress, waitMs: 300 })
  now += 10_000
  show(progress)
  now += 100
  show({ ...progress, waitMs: 4_000 })
  expect(lines).toEqual([
    ' ↓ org/name waiting, next try in 10 s',
    expect.stringMatching(/ \(50%\)$/),
    expect.stringMatching(/ \(50%\) · waiting, next try in 4 s$/),
  ])
})

test('a line of `verify` has a word in place of the arrow of a download', () => {
  useClock()
  const lines: string[] = []
  const show = progressLines((line) => lines.push(line), 'verifying')
  const progress = { model: '3 models', totalBytes: 2 * MEGABYTE, elapsedMs: 1 }
  show({ ...progress, receivedBytes: 0 })
  now += 10_000
  show({ ...progress, receivedBytes: MEGABYTE, bytesPerSecond: MEGABYTE })
  expect(lines).toEqual([' verifying 3 models 1 MiB of 2 MiB (50%) · 1 MiB/s · 1 s left'])
})

test('a bar has the rate and the time left, and fits the terminal', () => {
  const progress = {
    ...{ model: 'organisation/a-model-with-a-rather-long-name', elapsedMs: 1 },
    ...{ receivedBytes: 45 * MEGABYTE, totalBytes: 90 * MEGABYTE, bytesPerSecond: 5 * MEGABYTE },
  }
  expect(progressBar({ ...progress, model: 'org/name' }, 80)).toBe(
    ' org/name               █████░░░░░ 50% 45 of 90 MiB · 5 MiB/s · 9 s left',
  )
  expect(progressBar(progress, 80)).toContain('█████░░░░░ 50% 45 of 90 MiB · 5 MiB/s · 9 s left')
  expect(progressBar({ ...progress, receivedBytes: 1000, bytesPerSecond: undefined }, 80)).toMatch(
    / 0% 0\.98 KiB of 90 MiB$/,
  )
  expect(progressBar({ ...progress, waitMs: 10_000 }, 80)).toMatch(/ 45 of 90 MiB · waiting, next try in 10 s$/)
  expect(progressBar(progress, 120)).toContain('██████████░░░░░░░░░░')
  // The bar keeps its place while the figures change.
  const starts = [0, 20_000, 45 * MEGABYTE].map((receivedBytes) =>
    progressBar({ ...progress, receivedBytes }, 80).search(/[█░]/),
  )
  expect(new Set(starts)).toEqual(new Set([24]))
  for (let columns = 20; columns <= 200; columns++) expect(progressBar(progress, columns).length).toBeLessThan(columns)
})

test('the engine reports waits for the listing and for files, and kept bytes do not count for the rate', async () => {
  const engine = await Engine.start(onTestFinished)
  const { hub } = engine
  const weights = Buffer.alloc(8 * MEGABYTE, 'weights')
  hub.addRepo('org/name', { files: { 'weights.bin': weights } })
  const seen: Progress[] = []
  /** Aborts at the first wait. */
  const untilWait = async () => {
    const stop = new AbortController()
    const onProgress = (progress: Progress) => {
      seen.push(progress)
      if (progress.waitMs) stop.abort(new Error('seen enough'))
    }
    await expect(engine.open().get('org/name', { signal: stop.signal, onProgress })).rejects.toThrow('seen enough')
    return seen.at(-1)
  }
  hub.fault({ kind: 'api' }, { status: 429, retryAfter: 10 }, { times: 1 })
  expect(await untilWait()).toMatchObject({ receivedBytes: 0, totalBytes: 0, waitMs: 10_000 })
  hub.fault({ origin: 'cdn' }, { truncate: 5 * MEGABYTE }, { times: 1 })
  expect(await untilWait()).toMatchObject({ totalBytes: weights.length, waitMs: expect.any(Number) })
  seen.length = 0
  hub.fault({ kind: 'resolve' }, { status: 503, retryAfter: 0 }, { times: 1 })
  await engine.open().get('org/name', { onProgress: (progress) => seen.push(progress) })
  const kept = seen.find(({ receivedBytes }) => receivedBytes > 0)
  expect(kept?.receivedBytes).toBeGreaterThan(MEGABYTE)
  expect(kept?.bytesPerSecond).toBeUndefined()
  // The wait ends when the next try begins.
  const waits = seen.map(({ waitMs }) => waitMs)
  expect(waits.slice(waits.indexOf(0))).toEqual([0, ...Array(waits.length - waits.indexOf(0) - 1).fill(undefined)])
})
