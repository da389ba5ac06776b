import { describe, expect, test } from 'vitest'
import type { RequestEvent } from '../../src/model/request.ts'
import { TIERS } from '../../src/model/tier.ts'
import { makeReport, type ReportInput, type WarmedModel } from '../../src/report/report.ts'
import { makeRequest } from '../support/request.ts'

const COMMIT = '0123456789abcdef0123456789abcdef01234567'
const FILES: [string, number][] = [
  ['config.json', 500],
  ['onnx/model.onnx', 9500],
]

function request(parts: Partial<RequestEvent> = {}): RequestEvent {
  return makeRequest({ repo: 'org/name', commit: COMMIT, files: FILES, at: 0, ...parts })
}

function warmed(parts: Partial<WarmedModel> = {}): WarmedModel {
  const model = { repo: 'org/name', revision: 'main', commit: COMMIT, files: FILES }
  return { ...model, tier: 'hub', downloadMs: 400, downloadedBytes: 10_000, ...NOTHING_ELSE, ...parts }
}

const NOTHING_ELSE = { restoreMs: null, restoredBytes: 0, unpackedBytes: 0, adoptedBytes: 0, repaired: [] }

function report(input: Partial<ReportInput>) {
  return makeReport({ requests: [], errors: [], warmed: [], warmUpMs: null, cache: null, ...input })
}

function counts(input: Partial<ReportInput>) {
  const { requests, hits, misses, hitRate, models } = report(input)
  return { requests, hits, misses, hitRate, tiers: models.map(({ tiers }) => tiers) }
}

test('a repaired file is listed once, even if several processes found it', () => {
  const requests = [request({ repaired: ['a'] }), request({ repaired: ['a', 'b'] })]
  expect(report({ requests, warmed: [warmed({ repaired: ['c'] })] }).models[0]?.repaired.sort()).toEqual([
    'a',
    'b',
    'c',
  ])
})

describe('hits and misses', () => {
  test('four workers, of which one downloaded: one miss', () => {
    const requests = [request({ tier: 'hub', downloadMs: 400 }), request(), request(), request()]
    expect(counts({ requests })).toEqual({
      requests: 4,
      hits: 3,
      misses: 1,
      hitRate: 0.75,
      tiers: [{ disk: 3, hub: 1 }],
    })
  })

  test('four workers, cached by an earlier run: no miss', () => {
    const requests = [request(), request(), request(), request()]
    expect(counts({ requests })).toEqual({ requests: 4, hits: 4, misses: 0, hitRate: 1, tiers: [{ disk: 4 }] })
  })

  test('four workers, warmed in this run: the first request is the miss', () => {
    const requests = Array.from({ length: 4 }, () => request({ warmedInThisRun: true }))
    const expected = { requests: 4, hits: 3, misses: 1, hitRate: 0.75, tiers: [{ disk: 3, hub: 1 }] }
    expect(counts({ requests })).toEqual(expected)
    expect(counts({ requests, warmed: [warmed()] })).toEqual(expected)
  })

  test('two workers that each downloaded a part of the model: one miss', () => {
    const requests = [request({ tier: 'hub', downloadMs: 300 }), request({ tier: 'hub', downloadMs: 100 })]
    expect(counts({ requests })).toEqual({
      requests: 2,
      hits: 1,
      misses: 1,
      hitRate: 0.5,
      tiers: [{ disk: 1, hub: 1 }],
    })
  })

  test('a model that was warmed and not requested: one miss', () => {
    expect(counts({ warmed: [warmed()] })).toEqual({
      requests: 1,
      hits: 0,
      misses: 1,
      hitRate: 0,
      tiers: [{ hub: 1 }],
    })
  })

  test('a model that the warm-up adopted: the first request is a hit of tier adopted', () => {
    const adopted = warmed({ tier: 'adopted', downloadMs: null, downloadedBytes: 0, adoptedBytes: 10_000 })
    const expected = { requests: 2, hits: 2, misses: 0, hitRate: 1, tiers: [{ adopted: 1, disk: 1 }] }
    expect(counts({ requests: [request(), request()], warmed: [adopted] })).toEqual(expected)
    expect(report({ requests: [request()], warmed: [adopted] }).models[0]?.adoptedBytes).toBe(10_000)
    expect(counts({ warmed: [adopted] })).toMatchObject({ requests: 0, misses: 0 })
  })

  test('a model that the warm-up took from the remote: the first request is a hit of tier remote', () => {
    const nothing = { downloadMs: null, downloadedBytes: 0 }
    const restored = warmed({ tier: 'remote', ...nothing, restoreMs: 40, restoredBytes: 10_000 })
    const expected = { requests: 2, hits: 2, misses: 0, hitRate: 1, tiers: [{ disk: 1, remote: 1 }] }
    expect(counts({ requests: [request(), request()], warmed: [restored] })).toEqual(expected)
    const { models, restoredBytes, savedBytes, times } = report({ requests: [request()], warmed: [restored] })
    expect(models[0]).toMatchObject({ restoreMs: 40, restoredBytes: 10_000 })
    expect({ restoredBytes, savedBytes, restore: times.restore?.total }).toEqual({
      ...{ restoredBytes: 10_000, savedBytes: 10_000, restore: 40 },
    })
    const onDemand = request({ tier: 'remote', restoreMs: 40, restoredBytes: 10_000 })
    expect(counts({ requests: [onDemand, request()] })).toEqual(expected)
  })

  test('a model that was warmed in two selections: one miss', () => {
    const both = [warmed({ files: [['a', 1]], downloadMs: 1 }), warmed({ files: [['b', 2]], downloadMs: 2 })]
    expect(counts({ warmed: both, requests: [request({ warmedInThisRun: true })] })).toMatchObject({
      requests: 1,
      misses: 1,
    })
  })

  test('a worker that requests a loaded model again: a hit', () => {
    const requests = [
      request({ tier: 'hub', downloadMs: 400 }),
      request({ tier: 'memory' }),
      request({ tier: 'memory' }),
    ]
    expect(counts({ requests })).toMatchObject({ hits: 2, misses: 1, tiers: [{ memory: 2, hub: 1 }] })
    const warm = [request(), request({ tier: 'memory' })]
    expect(counts({ requests: warm })).toMatchObject({ hits: 2, misses: 0, tiers: [{ memory: 1, disk: 1 }] })
  })

  test.each(TIERS.filter((tier) => tier !== 'hub'))('requests served by tier %s alone: hits', (tier) => {
    expect(counts({ requests: [request({ tier }), request({ tier })] })).toEqual({
      ...{ requests: 2, hits: 2, misses: 0, hitRate: 1 },
      tiers: [{ [tier]: 2 }],
    })
  })

  test('are counted separately for each commit of each repo', () => {
    const requests = [
      request({ tier: 'hub', downloadMs: 1 }),
      request({ tier: 'hub', downloadMs: 1, commit: 'f'.repeat(40), revision: 'v1' }),
      request({ tier: 'hub', downloadMs: 1, repo: 'org/other' }),
      request({ repo: 'a/first' }),
    ]
    const { models, misses } = report({ requests })
    expect(misses).toBe(3)
    expect(models.map(({ repo, revision }) => `${repo}@${revision}`)).toEqual([
      'a/first@main',
      'org/name@main',
      'org/name@v1',
      'org/other@main',
    ])
  })

  test('are 0 without requests, and there is no rate', () => {
    expect(counts({})).toEqual({ requests: 0, hits: 0, misses: 0, hitRate: null, tiers: [] })
  })

  test('a failed request is not a hit; equal failures are listed once, with the test files', () => {
    const offline = { model: 'org/name', code: 'OFFLINE', message: 'It is not there.' }
    const other = { model: 'org/other', code: 'HUB_ERROR', message: 'Something else.' }
    const errors = [
      { ...offline, testFile: 'a' },
      { ...other, testFile: 'b' },
      { ...offline, testFile: 'b' },
    ]
    expect(report({ errors: [...errors, { ...offline, testFile: 'a' }], requests: [request()] })).toMatchObject({
      ...{ requests: 5, hits: 1, misses: 0, failed: 4, hitRate: 0.2, errorCounts: { OFFLINE: 3, HUB_ERROR: 1 } },
      errors: [
        { ...offline, requests: 3, testFiles: ['a', 'b'] },
        { ...other, requests: 1, testFiles: ['b'] },
      ],
    })
  })

  test('a failure that a test expected is only counted', () => {
    const errors = [{ model: 'org/name', code: 'MODEL_NOT_FOUND', message: 'It is not there.', isExpected: true }]
    const expected = { requests: 1, hits: 1, failed: 0, expectedErrors: 1, hitRate: 1, errors: [], errorCounts: {} }
    expect(report({ errors, requests: [request()] })).toMatchObject(expected)
  })

  test('a failure of the warm-up is listed if no test requested the model', () => {
    const failure = (repo: string) => ({
      repo,
      model: `${repo} (q8)`,
      code: 'HUB_UNREACHABLE',
      message: `${repo}: no answer`,
    })
    const errors = [{ model: 'org/asked@v1', code: 'HUB_UNREACHABLE', message: 'no answer', isExpected: true }]
    expect(report({ errors, warmUpFailures: [failure('org/asked'), failure('org/other')] })).toMatchObject({
      ...{ requests: 0, failed: 0, hitRate: null, errorCounts: {} },
      errors: [{ model: 'org/other (q8)', requests: 0, testFiles: [] }],
    })
  })
})

describe('times and bytes', () => {
  test('are medians for lookups and loads, and sums for downloads and restores', () => {
    const requests = [
      request({ lookupMs: 1, loadMs: 100 }),
      request({ lookupMs: 9, loadMs: 300, restoreMs: 5 }),
      request({ lookupMs: 2, loadMs: null, restoreMs: 6 }),
    ]
    expect(report({ requests }).models[0]).toMatchObject({ lookupMs: 2, loadMs: 200, restoreMs: 11, downloadMs: null })
    const downloads = [request({ tier: 'hub', downloadMs: 300 }), request({ tier: 'hub', downloadMs: 100 })]
    expect(report({ requests: downloads, warmed: [warmed()] }).models[0]?.downloadMs).toBe(800)
  })

  test('of downloads are those of this run, in the warm-up and in requests', () => {
    const [first, second] = [
      request({ tier: 'hub', downloadMs: 1, downloadedBytes: 300 }),
      request({ repo: 'org/other', tier: 'hub', downloadMs: 1, downloadedBytes: 7 }),
    ]
    const { models } = report({ requests: [first, request(), second], warmed: [warmed({ downloadedBytes: 9000 })] })
    expect(models.map(({ repo, downloadedBytes }) => [repo, downloadedBytes])).toEqual([
      ['org/name', 9300],
      ['org/other', 7],
    ])
  })

  test('that were not measured are null', () => {
    expect(report({ warmed: [warmed()] }).models[0]).toMatchObject({ lookupMs: null, restoreMs: null, loadMs: null })
    expect(report({ requests: [request()] })).toMatchObject({ warmUpMs: null, savedMs: null, cache: null })
  })

  test('of files that several requests share count once', () => {
    const requests = [
      request(),
      request({
        files: [
          ['onnx/model.onnx', 9500],
          ['tokenizer.json', 7],
        ],
      }),
    ]
    expect(report({ requests }).models[0]?.bytes).toBe(10_007)
  })

  test('are saved for models that were not downloaded, once in a run', () => {
    const spared = [request({ recordedDownloadMs: 250 }), request({ recordedDownloadMs: 250 })]
    expect(report({ requests: spared })).toMatchObject({ savedMs: 250, savedBytes: 10_000 })
    const other = request({ repo: 'org/other', recordedDownloadMs: 50, files: [['a', 5]] })
    expect(report({ requests: [...spared, other] })).toMatchObject({ savedMs: 300, savedBytes: 10_005 })
  })

  test('are not saved for a model that this run downloaded', () => {
    const cold = [
      request({ tier: 'hub', downloadMs: 400, recordedDownloadMs: 400 }),
      request({ recordedDownloadMs: 400 }),
    ]
    expect(report({ requests: cold })).toMatchObject({ savedMs: null, savedBytes: 0 })
    const warm = [request({ warmedInThisRun: true, recordedDownloadMs: 400 })]
    expect(report({ requests: warm, warmed: [warmed()] })).toMatchObject({ savedMs: null, savedBytes: 0 })
  })

  test('are saved without a time if the time of the download is unknown', () => {
    expect(report({ requests: [request({ recordedDownloadMs: null })] })).toMatchObject({
      savedMs: null,
      savedBytes: 10_000,
    })
  })
})

test('the times of a run are the distributions of its steps', () => {
  const requests = [1, 2, 3, 4].map((lookupMs) => request({ lookupMs, loadMs: lookupMs === 1 ? 50 : null }))
  expect(report({ requests, warmed: [warmed()] }).times).toEqual({
    lookup: { count: 4, total: 10, p50: 2.5, p95: expect.closeTo(3.85), max: 4 },
    restore: null,
    download: { count: 1, total: 400, p50: 400, p95: 400, max: 400 },
    load: { count: 1, total: 50, p50: 50, p95: 50, max: 50 },
  })
})

test('the test files of a model are in the order of their last requests', () => {
  const asked = (testFile: string, at: number) => ({ ...request({ at }), testFile })
  const requests = [asked('b.test.ts', 5), asked('a.test.ts', 9), asked('b.test.ts', 1), asked('c.test.ts', 7)]
  expect(report({ requests }).models[0]?.testFiles).toEqual(['b.test.ts', 'c.test.ts', 'a.test.ts'])
})

test('the JSON has exactly these keys', () => {
  const cache = { directory: '/cache', size: 5, maxSize: 10, entries: 1 }
  const error = { model: 'org/other', code: 'OFFLINE', message: 'It is not there.' }
  const errors = [{ ...error, testFile: 'a.test.ts' }]
  const downloaded = request({ tier: 'hub', lookupMs: 2, downloadMs: 400, downloadedBytes: 9500, loadMs: 30 })
  const requests = [downloaded, request({ loadMs: 50 })]
  const run = { startedAt: '2026-01-15T10:30:00.000Z', durationMs: 900 }
  const removals = { evicted: ['org/old'], expired: [], freedBytes: 7 }
  expect(
    JSON.parse(JSON.stringify(report({ requests, errors, cache, warmUpMs: 500, removals, ...run }))),
  ).toStrictEqual({
    schemaVersion: 1,
    ...{ mode: 'integration', mocks: 0 },
    ownMs: { main: null, workers: null, children: null },
    threads: null,
    prediction: null,
    prefetch: null,
    ...run,
    ...removals,
    tiers: { disk: 1, hub: 1 },
    times: {
      lookup: { count: 2, total: 3, p50: 1.5, p95: 1.95, max: 2 },
      restore: null,
      download: { count: 1, total: 400, p50: 400, p95: 400, max: 400 },
      load: { count: 2, total: 80, p50: 40, p95: 49, max: 50 },
    },
    ...{
      downloadedBytes: 9500,
      restoredBytes: 0,
      unpackedBytes: 0,
      adoptedBytes: 0,
      repaired: 0,
      errorCounts: { OFFLINE: 1 },
    },
    requests: 3,
    hits: 1,
    misses: 1,
    failed: 1,
    expectedErrors: 0,
    hitRate: 1 / 3,
    isFirstRun: false,
    warmUpMs: 500,
    savedMs: null,
    savedBytes: 0,
    models: [
      {
        modelName: 'org_name',
        repo: 'org/name',
        revision: 'main',
        commit: COMMIT,
        tiers: { disk: 1, hub: 1 },
        requests: 2,
        bytes: 10_000,
        lookupMs: 1.5,
        restoreMs: null,
        downloadMs: 400,
        downloadedBytes: 9500,
        restoredBytes: 0,
        unpackedBytes: 0,
        adoptedBytes: 0,
        repaired: [],
        loadMs: 40,
        loads: 2,
        loadMsTotal: 80,
        sharing: null,
        testFiles: [],
      },
    ],
    errors: [{ ...error, requests: 1, testFiles: ['a.test.ts'] }],
    cache,
  })
})
