import { expect, test } from 'vitest'
import { foldEvents } from '../../src/intercept/events-file.ts'

const PART = {
  ...{ repo: 'org/a', revision: 'main', commit: 'a'.repeat(40), tier: 'disk', at: 5, lookupMs: 2, restoreMs: null },
  ...{ downloadMs: null, downloadedBytes: 0, adoptedBytes: 0, repaired: [], loadMs: null, recordedDownloadMs: 7 },
  warmedInThisRun: false,
}
const lineOf = (path: string, more: object = {}) =>
  JSON.stringify({
    ...{ testFile: 'a.test.ts', requests: [{ ...PART, files: [[path, 10]], ...more }], errors: [], ownMs: 1 },
  })

test('the lines of a process become one request for each repo, also when a kill cut off the last line', () => {
  const loaded = { loadMs: 30, loads: 1 }
  const whole = [
    lineOf('config.json'),
    lineOf('model.onnx', loaded),
    lineOf('config.json'),
    lineOf('model.onnx', loaded),
  ]
  const [event, ...others] = foldEvents([...whole, lineOf('lost.json').slice(0, 40)].join('\n'))
  expect(others).toEqual([])
  expect(event).toMatchObject({ testFile: 'a.test.ts', ownMs: 4, errors: [] })
  expect(event?.requests).toMatchObject([
    {
      files: [
        ['config.json', 10],
        ['model.onnx', 10],
      ],
      selection: '{"paths":["config.json","model.onnx"]}',
      ...{ lookupMs: 8, loadMs: 60, loads: 2, recordedDownloadMs: 14 },
    },
  ])
})

test.each(['', '{}\n', 'null\n', '[1]\n{"testFile":"a"}\n', 'half'])('%j contains no event', (text) => {
  expect(foldEvents(text)).toEqual([])
})
