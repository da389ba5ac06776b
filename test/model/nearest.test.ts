import { expect, test } from 'vitest'
import { nearest } from '../../src/model/nearest.ts'

const NAMES = ['models', 'maxSize', 'maxAge', 'mode', 'cacheDir']

test.each([
  ['model', 'models'],
  ['modles', 'models'],
  ['maxsize', 'maxSize'],
  ['max_age', 'maxAge'],
  ['cache-dir', 'cacheDir'],
  ['dir', 'cacheDir'],
])('the name nearest to %s is %s', (given, meant) => {
  expect(nearest(given, NAMES)).toBe(meant)
})

test('no name is suggested for a word that is not close to any name', () => {
  for (const given of ['', 'x', 'fo', 'max', 'timeout', 'reporter']) expect(nearest(given, NAMES)).toBeUndefined()
  expect(nearest('models', [])).toBeUndefined()
})
