import { expect, test } from 'vitest'
import { type Span, Spans } from '../../src/model/spans.ts'
import fc from '../support/property.ts'

const SIZE = 60
const span = fc
  .tuple(fc.nat(SIZE), fc.nat(SIZE))
  .map(([a, b]): Span => ({ start: Math.min(a, b), end: Math.max(a, b) }))

/** One flag a byte: the plain way to say the same. */
function flags(spans: readonly Span[]): boolean[] {
  return Array.from({ length: SIZE }, (_, at) => spans.some(({ start, end }) => start <= at && at < end))
}

test('know each byte that is there, however the parts came', () => {
  fc.assert(
    fc.property(fc.array(span), (added) => {
      const spans = new Spans(added)
      expect(flags(spans.parts)).toEqual(flags(added))
      expect(flags(spans.gaps(SIZE))).toEqual(flags(added).map((isThere) => !isThere))
      expect(spans.bytes).toBe(flags(added).filter(Boolean).length)
    }),
  )
})

test('keep parts in order, none touching another', () => {
  fc.assert(
    fc.property(fc.array(span), (added) => {
      const { parts } = new Spans(added)
      for (const [index, { start, end }] of parts.entries()) {
        expect(start).toBeLessThan(end)
        expect(start).toBeGreaterThan(parts[index - 1]?.end ?? -1)
      }
    }),
  )
})

test('say how far one can read on', () => {
  fc.assert(
    fc.property(fc.array(span), fc.nat(SIZE - 1), (added, at) => {
      const missing = flags(added).indexOf(false, at)
      expect(new Spans(added).endOf(at)).toBe(missing === -1 ? SIZE : missing)
    }),
  )
})
