import { describe, expect, test } from 'vitest'
import type { RequestEvent, Workers } from '../../src/model/request.ts'
import { loadTimes, sharingOf } from '../../src/report/sharing.ts'
import fc from '../support/property.ts'
import { makeRequest } from '../support/request.ts'

const ISOLATED: Workers = { group: 'run 0', most: 4, isIsolated: true }
const SHARED: Workers = { ...ISOLATED, isIsolated: false }
const OF_MODELS: Workers = { ...SHARED, sharesOnlyModels: true }
const KEPT: Partial<RequestEvent> = { isKept: true }
const UNTOUCHED: Partial<RequestEvent> = { selection: '{"paths":["onnx/model.onnx"]}' }

/** One request of each of so many test files, each with one load of 100 ms. */
function loads(files: number, parts: Partial<RequestEvent>, workers: Workers | undefined = ISOLATED) {
  const [repo, commit] = ['org/name', 'f'.repeat(40)]
  return Array.from({ length: files }, (_, index) => ({
    ...makeRequest({ repo, commit, files: [['onnx/model.onnx', 9]], loadMs: 100, loads: 1, ...parts }),
    ...{ testFile: `${index}.test.ts`, workers },
  }))
}

describe('what sharing a loaded model would spare', () => {
  test.each([
    ['isolated test files that use `models`', loads(10, KEPT), { by: 'isolate', workers: 4, loads: 6, ms: 600 }],
    ['isolated untouched code', loads(10, UNTOUCHED), { by: 'isolate-module', workers: 4, loads: 6, ms: 600 }],
    ['untouched code without isolation', loads(10, UNTOUCHED, SHARED), { by: 'module', workers: 4, loads: 6, ms: 600 }],
    [
      'untouched code, where only `models` shares',
      loads(10, UNTOUCHED, OF_MODELS),
      { by: 'models', workers: 4, loads: 6, ms: 600 },
    ],
    ['`models`, where only `models` shares', loads(4, KEPT, OF_MODELS), null],
    ['test files with a worker each', loads(4, KEPT), null],
    [
      'two instances in each test file',
      loads(10, { ...KEPT, loads: 2 }),
      { by: 'isolate', workers: 4, loads: 12, ms: 600 },
    ],
    [
      'several loads in one test file',
      loads(1, { ...UNTOUCHED, loads: 4 }),
      { by: 'file', workers: 1, loads: 3, ms: 75 },
    ],
    [
      'other options in one test file',
      loads(1, { ...KEPT, loads: 2 }),
      { by: 'options', workers: 1, loads: 1, ms: 50 },
    ],
    ['`models` without isolation', loads(4, KEPT, SHARED), null],
    [
      'workers that are not known, or child processes',
      loads(10, KEPT, undefined).map((r) => ({ ...r, workers: undefined })),
      null,
    ],
  ])('%s', (_, requests, expected) => {
    expect(sharingOf(requests)).toEqual(expected)
  })

  test('of other selections, projects and runs is nothing', () => {
    const groups = ['a', 'b', 'c'].map((group) => loads(3, KEPT, { ...ISOLATED, group }))
    const dtypes = ['q4', 'q8', 'fp16'].map((dtype) => loads(3, { ...KEPT, selection: JSON.stringify({ dtype }) }))
    const weights = ['a', 'b', 'c'].map((name) => loads(3, { ...UNTOUCHED, files: [[`onnx/${name}.onnx`, 9]] }))
    for (const requests of [groups, dtypes, weights]) expect(sharingOf(requests.flat())).toBeNull()
  })

  test('is never more than what was loaded', () => {
    const some = fc.record({
      files: fc.nat(12),
      loads: fc.nat(5),
      isKept: fc.boolean(),
      most: fc.integer({ min: 1, max: 9 }),
      isIsolated: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(some, { maxLength: 4 }), (groups) => {
        const requests = groups.flatMap(({ files, isKept, loads: count, ...workers }) =>
          loads(files, { isKept, loads: count, loadMs: count * 100 }, { ...workers, group: 'same' }),
        )
        const { loads: spared = 0, ms = 0 } = sharingOf(requests) ?? {}
        const all = requests.reduce((sum, request) => sum + (request.loads ?? 0), 0)
        expect(spared).toBeLessThan(Math.max(1, all))
        expect(ms).toBeCloseTo(spared * 100)
      }),
    )
  })
})

test('a request of an older version has one load if it has a load time', () => {
  const old = { loads: undefined }
  expect(loadTimes({ ...old, loadMs: 30 })).toEqual([30])
  expect(loadTimes({ ...old, loadMs: null })).toEqual([])
  expect(sharingOf(loads(10, { ...KEPT, ...old }))).toMatchObject({ loads: 6, ms: 600 })
})
