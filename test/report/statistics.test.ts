import { describe, expect, test } from 'vitest'
import { printable } from '../../src/model/printable.ts'
import { TIERS } from '../../src/model/tier.ts'
import { distributionOf, sum } from '../../src/report/distribution.ts'
import { makeStatistics } from '../../src/report/statistics.ts'
import { renderStatistics } from '../../src/report/statistics-text.ts'
import { labelOf } from '../../src/report/words.ts'
import fc from '../support/property.ts'
import { anyReport, anyText, MODEL, REPORT } from '../support/reports.ts'
import { DAY_MS, makeCache, makeEntry, makeRun } from '../support/runs.ts'

const NOW = Date.parse('2026-02-05T10:30:00.000Z')

describe('the distribution of measurements', () => {
  test('is null without measurements', () => {
    expect(distributionOf([])).toBeNull()
  })

  test('of one measurement is this measurement', () => {
    expect(distributionOf([7])).toEqual({ count: 1, total: 7, p50: 7, p95: 7, max: 7 })
  })

  test('is interpolated between two measurements', () => {
    expect(distributionOf([40, 10, 30, 20])).toMatchObject({ p50: 25, p95: expect.closeTo(38.5), max: 40 })
    expect(distributionOf(Array.from({ length: 101 }, (_, index) => index))).toMatchObject({
      p50: 50,
      p95: 95,
      max: 100,
    })
  })

  test('is ordered, within the measurements, and each quantile has its share of measurements below it', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { minLength: 1 }), (values) => {
        const spread = distributionOf(values)
        if (!spread) throw new Error('There are values.')
        const { p50, p95, max } = spread
        expect(Math.min(...values)).toBeLessThanOrEqual(p50)
        expect(p50).toBeLessThanOrEqual(p95)
        expect(p95).toBeLessThanOrEqual(max)
        expect(max).toBe(Math.max(...values))
        for (const [share, quantile] of [
          [0.5, p50],
          [0.95, p95],
        ] as const) {
          const below = values.filter((value) => value <= quantile).length
          expect(below).toBeGreaterThanOrEqual(Math.floor((values.length - 1) * share) + 1)
        }
      }),
    )
  })
})

describe('statistics over runs', () => {
  test('are sums, in any order of the runs', () => {
    fc.assert(
      fc.property(fc.array(anyReport, { maxLength: 5 }), (reports) => {
        const runs = reports.map((report, index) => makeRun(index, { report }))
        const { totals } = makeStatistics(runs, makeCache([]), NOW)
        const backwards = makeStatistics([...runs].reverse(), makeCache([]), NOW).totals
        expect(backwards.requests).toBe(totals.requests)
        expect(totals.requests).toBe(sum(reports.map(({ requests }) => requests)))
        expect(totals.evicted).toBe(sum(reports.map(({ evicted }) => evicted.length)))
        for (const tier of TIERS) {
          const models = reports.flatMap(({ models }) => models)
          expect(totals.tiers[tier] ?? 0).toBe(sum(models.map(({ tiers }) => tiers[tier] ?? 0)))
        }
        expect(totals.hitRate === null || Number.isFinite(totals.hitRate)).toBe(true)
      }),
    )
  })

  test('have the uses of each model: how often, when, and the last test file', () => {
    const use = (requests: number, testFiles: string[]) => ({ ...REPORT, models: [{ ...MODEL, requests, testFiles }] })
    const newest = makeRun(14, { report: use(3, ['b.test.ts', 'a.test.ts']) })
    const oldest = makeRun(0, { report: use(6, ['c.test.ts']) })
    const { models } = makeStatistics([newest, oldest], makeCache([]), NOW)
    // From 15 January to 5 February are three weeks.
    expect(models).toEqual([
      {
        ...{ model: 'org/name', runs: 2, requests: 9, usesPerWeek: 3, lastUsedAt: newest.startedAt },
        ...{ lastTestFile: 'a.test.ts', testFiles: ['b.test.ts', 'a.test.ts', 'c.test.ts'] },
        ...{ bytes: MODEL.bytes, loadMs: 182, loads: 2, loadMsTotal: 364 },
      },
    ])
  })

  test('of one hour are not extrapolated to a week', () => {
    const run = makeRun(0)
    const { models } = makeStatistics([run], makeCache([]), Date.parse(run.startedAt) + 3_600_000)
    expect(models[0]?.usesPerWeek).toBe(MODEL.requests)
  })

  test('name the slowest step of a run', () => {
    const { runs } = makeStatistics([makeRun()], makeCache([]), NOW)
    expect(runs[0]?.slowest).toEqual({ model: 'org/name', step: 'download', ms: 3940 })
  })

  test('compare the bytes on disk with the downloaded bytes', () => {
    const cache = makeCache([makeEntry({ bytes: 300 })], { diskBytes: 150 })
    expect(makeStatistics([], cache, NOW).cache.efficiency).toBe(2)
    expect(makeStatistics([], makeCache([]), NOW).cache.efficiency).toBeNull()
  })
})

describe('statistics for people', () => {
  test('have a line for each run, the totals, the models and the cache', () => {
    const entry = makeEntry({ lastUsedAt: new Date(NOW - DAY_MS).toISOString() })
    const statistics = makeStatistics([makeRun(1), makeRun(0)], makeCache([entry]), NOW)
    expect(renderStatistics(statistics, { now: NOW })).toEqual([
      'run (UTC)         hits  requests     saved  download  slowest',
      '2026-01-16 10:30   75%         4  2 m 05 s  90.4 MiB  download 3.94 s org/name',
      '2026-01-15 10:30   75%         4  2 m 05 s  90.4 MiB  download 3.94 s org/name',
      '',
      '2 runs, 8 requests, hit rate 75% · disk ×6 hub ×2 · saved 4 m 10 s and 2 GiB',
      '  downloaded 181 MiB',
      '',
      'model     per week  last used      size    load  last test file',
      'org/name       2.7    20d ago  90.4 MiB  182 ms  test/a.test.ts',
      '',
      'cache 90.4 MiB of 2 GiB in 1 model · 90.4 MiB on disk · oldest 21d · newest 21d',
      '  longest unused 1d · 100 GiB free',
      '/home/user/.cache/vitest-model-cache',
    ])
  })

  test('say that no run has been recorded', () => {
    const [first] = renderStatistics(makeStatistics([], makeCache([]), NOW), { now: NOW })
    expect(first).toBe('No run has been recorded yet: run the tests once.')
  })

  test('name the project of each run if there are several projects', () => {
    const runs = [makeRun(1), makeRun(0, { project: '/projects/other' })]
    const lines = renderStatistics(makeStatistics(runs, makeCache([]), NOW), { now: NOW })
    expect(lines.slice(1, 5).filter((line) => line.startsWith('    '))).toEqual([
      '    /projects/app',
      '    /projects/other',
    ])
  })

  test.each([40, 80, 120])('fit %d columns, and long names and paths are whole, on lines of their own', (columns) => {
    const repo = 'organisation/a-model-with-a-rather-long-name-that-goes-on-ONNX-quantized'
    const testFile = 'packages/core/test/a folder of integration tests/embeddings-of-sentences.test.ts'
    const directory = '/home/a user/projects/with a long name/node_modules/.cache/vitest-model-cache/models'
    const report = { ...REPORT, models: [MODEL, { ...MODEL, repo, downloadMs: 9000, testFiles: [testFile] }] }
    const cache = makeCache([makeEntry()], { directory, diskBytes: MODEL.bytes / 2 })
    const statistics = makeStatistics([makeRun(1, { report }), makeRun(0, { project: '/app' })], cache, NOW)
    const lines = renderStatistics(statistics, { now: NOW, columns })
    for (const whole of [repo, testFile, directory]) expect(lines.join('\n')).toContain(whole)
    for (const line of lines.filter((line) => ![repo, testFile, directory].some((whole) => line.includes(whole))))
      expect(line.length, line).toBeLessThanOrEqual(columns)
    expect(lines.join('')).not.toContain('…')
    expect(lines.join('\n')).toMatch(/45\.2 MiB on disk\s+\(90\.4\s+MiB\s+without\s+sharing\)/)
  })

  test('have no control character, and only a long name makes a long line', () => {
    fc.assert(
      fc.property(fc.array(anyReport, { maxLength: 3 }), anyText, (reports, project) => {
        const runs = reports.map((report, index) => makeRun(index, { report, project: index === 0 ? project : '/app' }))
        const lines = renderStatistics(makeStatistics(runs, makeCache([makeEntry()]), NOW), { now: NOW })
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
        for (const line of lines) expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
        const names = [
          project,
          ...reports.flatMap(({ models }) => models.flatMap((of) => [labelOf(of), ...of.testFiles])),
        ]
        const longest = Math.max(...names.map((name) => printable(name).length))
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(Math.max(80, longest + 30))
      }),
    )
  })
})
