import { Ajv } from 'ajv'
import type { InferOutput } from 'valibot'
import { describe, expect, expectTypeOf, test } from 'vitest'
import json from '../../src/report/report.schema.json' with { type: 'json' }
import { makeReport } from '../../src/report/report.ts'
import { parseRun, type ReportSchema, type RunSchema } from '../../src/report/schema.ts'
import { makeStatistics } from '../../src/report/statistics.ts'
import { renderStatistics } from '../../src/report/statistics-text.ts'
import type { Report, Run } from '../../src/report/types.ts'
import fc from '../support/property.ts'
import { reportSchema } from '../support/report-schema.ts'
import { anyReport } from '../support/reports.ts'
import { makeRequest } from '../support/request.ts'
import { makeCache, makeRun, makeSpan } from '../support/runs.ts'

const isReport = new Ajv({ formats: { 'date-time': true } }).compile(json)
const written = (value: unknown) => JSON.parse(JSON.stringify(value))

test('a parsed record has the types of `types.ts`', () => {
  expectTypeOf<InferOutput<typeof ReportSchema>>().toEqualTypeOf<Report>()
  expectTypeOf<InferOutput<typeof RunSchema>>().toEqualTypeOf<Run>()
})

describe('the JSON Schema', () => {
  test('is up to date (if not: npm run schema)', () => {
    expect(json).toEqual(written(reportSchema()))
  })

  test('accepts every report that is written', () => {
    const input = { errors: [], warmed: [], warmUpMs: null, cache: null }
    const request = makeRequest({ repo: 'org/name', commit: 'f'.repeat(40), files: [['a', 1]], loadMs: 5 })
    for (const requests of [[], [request]]) {
      expect(isReport(written(makeReport({ ...input, requests }))), JSON.stringify(isReport.errors)).toBe(true)
    }
    fc.assert(fc.property(anyReport, (report) => isReport(written(report))))
  })

  test.each([
    ['another version', { schemaVersion: 2 }],
    ['a rate above 1', { hitRate: 1.5 }],
    ['a tier that is none', { tiers: { floppy: 1 } }],
    ['a missing field', { requests: undefined }],
  ])('refuses %s', (_, parts) => {
    const report = makeReport({ requests: [], errors: [], warmed: [], warmUpMs: null, cache: null })
    expect(isReport(written({ ...report, ...parts }))).toBe(false)
  })
})

/** A record of version 0.1, without times, a timeline and the test files of models. */
const OLD = {
  schemaVersion: 1,
  id: 'mkd0-77-abc-1-0',
  startedAt: '2026-01-15T10:30:00.000Z',
  project: '/projects/app',
  used: [{ repo: 'org/name', revision: 'main', commit: 'f'.repeat(40), selection: '{}', testFiles: ['a.test.ts'] }],
  report: {
    ...{ schemaVersion: 1, requests: 2, hits: 2, misses: 0, hitRate: 1, warmUpMs: 20, savedMs: 400, savedBytes: 10 },
    models: [
      {
        ...{ modelName: 'org_name', repo: 'org/name', revision: 'main', commit: 'f'.repeat(40), tiers: { disk: 2 } },
        ...{ requests: 2, bytes: 10, lookupMs: 1, restoreMs: null, downloadMs: null, downloadedBytes: 0 },
        ...{ adoptedBytes: 0, repaired: [], loadMs: 30 },
      },
    ],
    errors: [],
    cache: { directory: '/cache', size: 10, maxSize: 100, entries: 1 },
  },
}

describe('a run record', () => {
  test('of an older version is read and counted', () => {
    const run = parseRun(OLD)
    expect(run).toMatchObject({ timeline: [], report: { times: { load: null }, errorCounts: {} } })
    const { totals, models } = makeStatistics(run ? [run] : [], makeCache([]), Date.parse(OLD.startedAt))
    expect(totals).toMatchObject({ runs: 1, hits: 2, tiers: { disk: 2 }, savedMs: 400 })
    expect(models).toMatchObject([{ model: 'org/name', lastTestFile: 'a.test.ts', loadMs: 30 }])
  })

  test('is the same after it is written and read', () => {
    fc.assert(
      fc.property(anyReport, (report) => {
        const run = written(makeRun(0, { report, timeline: [makeSpan()] }))
        expect(parseRun(run)).toEqual(run)
      }),
    )
  })

  test('that is damaged is left out or can be shown without an error', () => {
    const whole = written(makeRun(0, { timeline: [makeSpan()], used: [{ ...OLD.used[0], files: ['a'] }] as never }))
    const paths = pathsOf(whole)
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        const run = parseRun(changed(whole, path, value))
        if (!run) return
        const lines = renderStatistics(makeStatistics([run], makeCache([]), Date.now()), { now: Date.now() })
        expect(lines.every((line) => line.length <= 80)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test.each([
    ['its report', ['report'], null],
    ['its date', ['startedAt'], '2026-02-99T00:00:00.000Z'],
    ['a number', ['report', 'hits'], -1],
    ['a number that is none', ['report', 'savedMs'], 'NaN'],
    ['a model', ['report', 'models', 0, 'tiers'], { disk: Number.POSITIVE_INFINITY }],
  ])('is left out without %s', (_, path, value) => {
    expect(parseRun(changed(written(makeRun()), path, value))).toBeUndefined()
  })
})

type Path = (string | number)[]

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]))]
}

function changed(whole: object, path: Path, value: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return value
  const copy: object = Array.isArray(whole) ? [...whole] : { ...whole }
  Reflect.set(copy, key, changed(Reflect.get(whole, key), rest, value))
  return copy
}
