import { expect, test } from 'vitest'
import { BusyTime } from '../../src/intercept/busy-time.ts'
import { Spans } from '../../src/model/spans.ts'
import fc from '../support/property.ts'

const span = fc.tuple(fc.nat(60), fc.nat(60)).map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }))

test('each moment counts once, for any order of the spans', () => {
  fc.assert(
    fc.property(fc.array(span), (spans) => {
      const busy = new BusyTime()
      const covered = spans.reduce((sum, span) => sum + busy.add(span), 0)
      expect(covered).toBe(new Spans(spans).bytes)
    }),
  )
})
