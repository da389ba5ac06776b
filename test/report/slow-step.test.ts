import { expect, test } from 'vitest'
import { slowStep } from '../../src/report/slow-step.ts'
import { renderText } from '../../src/report/text.ts'
import type { ModelReport, Report, Sharing } from '../../src/report/types.ts'
import { MODEL, REPORT } from '../support/reports.ts'

const spread = (total: number) => ({ count: 3, total, p50: total / 3, p95: total / 3, max: total / 3 })
const SHARING: Sharing = { by: 'options', workers: 1, loads: 2, ms: 2600 }
const LOADED = { ...MODEL, tiers: { disk: 3 }, downloadMs: null, loads: 3, loadMsTotal: 3900, sharing: SHARING }

/** A warm run in which loading took 3.9 s of 4.2 s. */
function warm(parts: Partial<Report> = {}): Report {
  const times = { lookup: spread(100), restore: null, download: null, load: spread(3900) }
  return { ...REPORT, misses: 0, hitRate: 1, warmUpMs: 200, times, models: [LOADED], ...parts }
}

test('a slow warm run has a line with its slowest step and advice', () => {
  const line =
    'loading took 3.9 s of 4.2 s: org/name was loaded 3 times in one test file. If it is kept and asked for with the same options: about 2.6 s of loading less'
  expect(slowStep(warm())).toBe(line)
  const text = renderText(warm(), { color: false, columns: 80, target: 0.8 }).join(' ').replace(/\s+/g, ' ')
  expect(text).toContain(`→ ${line}`)
})

test.each<[advice: string, parts: Partial<ModelReport>]>([
  ['a smaller dtype of org/name loads faster', { loads: 1 }],
  ['was loaded 3 times in one test file. A smaller dtype loads faster', { sharing: null }],
  [
    '3 times in one test file. If each test file loads it once and keeps it: about',
    { sharing: { ...SHARING, by: 'file' } },
  ],
  ['With `isolate: false`, the test files share it: about', { sharing: { ...SHARING, by: 'isolate' } }],
  [
    'With `isolate: false` and a module that holds it, the test files of each of 4 workers share it: about',
    { sharing: { ...SHARING, by: 'isolate-module', workers: 4 } },
  ],
  ['With a module that holds it, the test files share it: about', { sharing: { ...SHARING, by: 'module' } }],
])('the advice is: %s', (advice, parts) => {
  expect(slowStep(warm({ models: [{ ...LOADED, ...parts }] }))).toContain(advice)
})

test('times of several test files are those of all workers together', () => {
  const line = slowStep(warm({ models: [{ ...LOADED, testFiles: ['a', 'b'] }] }))
  expect(line).toContain('took 3.9 s of 4.2 s, all workers together: org/name was loaded 3 times in 2 test files')
})

test('the model with the longest loads is named', () => {
  const models = [
    { ...LOADED, repo: 'org/small', loadMsTotal: 900 },
    { ...LOADED, repo: 'org/large', loadMsTotal: 3000 },
  ]
  expect(slowStep(warm({ models }))).toContain('org/large')
})

test('a slow warm-up and slow lookups have a line too', () => {
  const times = { lookup: spread(100), restore: null, download: null, load: null }
  expect(slowStep(warm({ warmUpMs: 3000, times }))).toContain('warm-up took 3 s of 3.1 s')
  expect(slowStep(warm({ warmUpMs: 0, times: { ...times, lookup: spread(5000) } }))).toContain(
    'looking up took 5 s of 5 s: files were verified again',
  )
  const restored = { ...times, lookup: spread(5000), restore: spread(100) }
  expect(slowStep(warm({ warmUpMs: 0, times: restored }))).toContain('5 s of 5.1 s: models came from the remote.')
})

test.each([
  ['everything is done within a second', { times: { lookup: null, restore: null, download: null, load: spread(700) } }],
  ['something was downloaded: the next run is another one', { misses: 1 }],
  [
    'something failed: the time went into the tries',
    { warmUpMs: 3000, errors: [{ model: 'a/b', code: 'HUB_UNREACHABLE', message: '', requests: 1, testFiles: [] }] },
  ],
  [
    'no step is half of it',
    { warmUpMs: 2000, times: { lookup: spread(1500), restore: spread(1500), download: null, load: spread(1900) } },
  ],
  [
    'there was nothing to do',
    { warmUpMs: null, times: { lookup: null, restore: null, download: null, load: null }, models: [] },
  ],
])('there is no line if %s', (_, parts) => {
  expect(slowStep(warm(parts))).toBeUndefined()
})
