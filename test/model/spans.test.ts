import { expect, test } from 'vitest'
import { type Span, Spans } from '../../src/model/spans.ts'
import fc from '../support/property.ts'

const SIZE = 60
const span = fc
  .tuple(fc.nat(SIZE), fc.nat(SIZE))
  .map(([a, b]): Span => ({ start: Math.min(a, b), end: Math.max(a, b) }))

/** The same information as one flag for each byte: a simple model to compare with. */
function flags(spans: readonly Span[]): boolean[] {
  return Array.from({ length: SIZE }, (_, at) => spans.some(({ start, end }) => start <= at && at < end))
}

test('know each received byte, in whatever order the parts were added', () => {
  fc.assert(
    fc.property(fc.array(span), (added) => {
      const spans = new Spans(added)
      expect(flags(spans.parts)).toEqual(flags(added))
      expect(flags(spans.gaps(SIZE))).toEqual(flags(added).map((isThere) => !isThere))
      expect(spans.bytes).toBe(flags(added).filter(Boolean).length)
    }),
  )
})

test('keep the parts sorted, with a gap between any two', () => {
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

test('find the end of the received bytes that follow an offset', () => {
  fc.assert(
    fc.property(fc.array(span), fc.nat(SIZE - 1), (added, at) => {
      const missing = flags(added).indexOf(false, at)
      expect(new Spans(added).endOf(at)).toBe(missing === -1 ? SIZE : missing)
    }),
  )
})
