import { expect, test } from 'vitest'
import { partOf } from '../../src/intercept/answer.ts'
import fc from '../support/property.ts'

test.each([
  [undefined, undefined],
  ['bytes=0-0', { start: 0, end: 1 }],
  ['bytes=10-19', { start: 10, end: 20 }],
  ['bytes=90-', { start: 90, end: 100 }],
  ['bytes=-4', { start: 96, end: 100 }],
  ['bytes=-400', { start: 0, end: 100 }],
  ['bytes = 10 - 1000', { start: 10, end: 100 }],
  ['bytes=100-', 'none'],
  ['bytes=-0', 'none'],
  ['bytes=20-10', 'none'],
  // These are ignored: the whole file is a correct answer.
  ['bytes=0-1,5-6', undefined],
  ['items=0-1', undefined],
  ['bytes=-', undefined],
  ['', undefined],
])('Range %j of 100 bytes', (range, part) => {
  expect(partOf(range, 100)).toEqual(part)
})

test('a part is never empty, and never outside the file', () => {
  fc.assert(
    fc.property(fc.nat(), fc.option(fc.nat()), fc.option(fc.nat()), (size, first, last) => {
      const part = partOf(`bytes=${first ?? ''}-${last ?? ''}`, size)
      if (typeof part !== 'object') return
      expect(part.start).toBeGreaterThanOrEqual(0)
      expect(part.end).toBeGreaterThan(part.start)
      expect(part.end).toBeLessThanOrEqual(size)
    }),
  )
})
