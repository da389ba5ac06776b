import { TIERS } from '../../src/model/tier.ts'
import type { ModelReport, Report } from '../../src/report/report.ts'
import fc from './property.ts'

export const MODEL: ModelReport = {
  modelName: 'org_name',
  repo: 'org/name',
  revision: 'main',
  commit: '0123456789abcdef0123456789abcdef01234567',
  tiers: { disk: 3, hub: 1 },
  requests: 4,
  bytes: 94_792_320,
  lookupMs: 0.42,
  restoreMs: null,
  restoredBytes: 0,
  unpackedBytes: 0,
  downloadMs: 3940,
  downloadedBytes: 94_792_320,
  adoptedBytes: 0,
  repaired: [],
  loadMs: 182,
  ...{ loads: 1, loadMsTotal: 182, sharing: null, testFiles: ['test/a.test.ts'] },
}
/** A request that failed. */
export function makeFailure(parts: Partial<Report['errors'][number]> = {}): Report['errors'][number] {
  const message = 'It is not in the cache.'
  return { model: 'org/name', code: 'OFFLINE', message, requests: 1, testFiles: [], ...parts }
}

export const REPORT: Report = {
  schemaVersion: 1,
  startedAt: '2026-01-15T10:30:00.000Z',
  durationMs: 9000,
  mode: 'integration',
  mocks: 0,
  requests: 4,
  hits: 3,
  misses: 1,
  ...{ failed: 0, expectedErrors: 0, isFirstRun: false },
  hitRate: 0.75,
  warmUpMs: 4100,
  savedMs: 125_000,
  savedBytes: 2 ** 30,
  tiers: { disk: 3, hub: 1 },
  times: { lookup: null, restore: null, download: null, load: null },
  ownMs: { main: null, workers: null, children: null },
  threads: null,
  prediction: null,
  prefetch: null,
  ...{
    downloadedBytes: 0,
    restoredBytes: 0,
    unpackedBytes: 0,
    adoptedBytes: 0,
    repaired: 0,
    evicted: [],
    expired: [],
    freedBytes: 0,
    errorCounts: {},
  },
  models: [MODEL],
  errors: [],
  cache: { directory: '/home/user/.cache/vitest-model-cache', size: 2 ** 30, maxSize: 2 * 2 ** 30, entries: 3 },
}

/** Text of words with printable characters. */
export const words = (maxLength: number, longest = 40) =>
  fc
    .array(fc.stringMatching(/^[\x21-\x7e]+$/, { maxLength: longest }), { minLength: 1, maxLength })
    .map((parts) => parts.join(' '))
const amount = fc.double({ min: 0, max: 1e8, noNaN: true })
const ms = fc.option(fc.double({ min: 0, max: 1e8, noNaN: true }))
export const anyModelReport: fc.Arbitrary<ModelReport> = fc.record({
  modelName: fc.string(),
  repo: fc.stringMatching(/^[\w.-]{1,60}\/[\w.-]{1,60}$/),
  revision: fc.constantFrom('main', 'v1.0', 'a-branch-of-a-rather-long-name/of-two-parts', '0'.repeat(40)),
  commit: fc.constant(MODEL.commit),
  tiers: fc.dictionary(fc.constantFrom(...TIERS), fc.integer({ min: 1, max: 1e6 })),
  requests: fc.nat(),
  bytes: fc.nat({ max: 2 ** 40 }),
  downloadedBytes: fc.nat({ max: 2 ** 40 }),
  adoptedBytes: fc.nat({ max: 2 ** 40 }),
  restoredBytes: fc.nat({ max: 2 ** 40 }),
  unpackedBytes: fc.nat({ max: 2 ** 40 }),
  repaired: fc.array(fc.stringMatching(/^[\w./-]{1,60}$/)),
  ...{ lookupMs: ms, restoreMs: ms, downloadMs: ms, loadMs: ms },
  loads: fc.nat(),
  loadMsTotal: amount,
  sharing: fc.option(
    fc.record({
      by: fc.constantFrom(
        'isolate' as const,
        'isolate-module' as const,
        'module' as const,
        'file' as const,
        'options' as const,
      ),
      ...{ workers: fc.nat(), loads: fc.nat(), ms: amount },
    }),
  ),
  testFiles: fc.array(fc.string(), { maxLength: 3 }),
})
const anyError = fc.record({
  ...{ model: fc.string(), code: fc.constant('OFFLINE'), message: words(40) },
  ...{ requests: fc.nat(), testFiles: fc.array(fc.string(), { maxLength: 5 }) },
})
const distribution = fc.option(fc.record({ count: fc.nat(), total: amount, p50: amount, p95: amount, max: amount }))
const tiers = fc.dictionary(fc.constantFrom(...TIERS), fc.integer({ min: 1, max: 1e6 }))
export const anyReport: fc.Arbitrary<Report> = fc.record({
  schemaVersion: fc.constant(1 as const),
  mode: fc.constantFrom('integration' as const, 'unit' as const),
  mocks: fc.nat(),
  requests: fc.nat(),
  hits: fc.nat(),
  misses: fc.nat(),
  failed: fc.nat(),
  expectedErrors: fc.nat(),
  isFirstRun: fc.boolean(),
  hitRate: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
  ...{ warmUpMs: ms, savedMs: ms },
  savedBytes: fc.nat(),
  startedAt: fc.option(
    fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2099-12-31') }).map((date) => date.toISOString()),
  ),
  durationMs: ms,
  tiers,
  times: fc.record({ lookup: distribution, restore: distribution, download: distribution, load: distribution }),
  ownMs: fc.record({ main: ms, workers: distribution, children: distribution }),
  prediction: fc.option(
    fc.record({ used: fc.array(words(3)), unused: fc.array(words(3)), unpredicted: fc.array(words(3)) }),
  ),
  prefetch: fc.option(fc.record({ aheadMs: amount, models: fc.array(words(3)), unfinished: fc.array(words(3)) })),
  threads: fc.constantFrom('shared', 'as-is', null),
  ...{
    downloadedBytes: fc.nat(),
    restoredBytes: fc.nat(),
    unpackedBytes: fc.nat(),
    adoptedBytes: fc.nat(),
    repaired: fc.nat(),
    freedBytes: fc.nat(),
  },
  evicted: fc.array(fc.string()),
  expired: fc.array(fc.string()),
  errorCounts: fc.dictionary(fc.stringMatching(/^[A-Z_]{1,20}$/), fc.nat()),
  models: fc.array(anyModelReport, { maxLength: 4 }),
  errors: fc.array(anyError, {
    maxLength: 3,
  }),
  cache: fc.option(fc.record({ directory: words(8), size: fc.nat(), maxSize: fc.nat(), entries: fc.nat() })),
})

/** Text with control characters, line breaks and letters of other scripts. */
export const anyText = fc.string({ unit: fc.integer({ min: 0, max: 0x2fff }).map((code) => String.fromCharCode(code)) })
