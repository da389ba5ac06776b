import { describe, expect, test } from 'vitest'
import { formatAge, formatDuration, formatSize, parseDuration, parseSize } from '../../src/config/units.ts'
import fc from '../support/property.ts'

const GB = 2 ** 30
const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000]

describe('sizes', () => {
  test.each<[string | number, number]>([
    ['2GB', 2 * GB],
    ['2gb', 2 * GB],
    ['2 GiB', 2 * GB],
    ['2g', 2 * GB],
    [' 1.5 GB ', 1.5 * GB],
    ['500MB', 500 * 2 ** 20],
    ['1k', 1024],
    ['1TB', 2 ** 40],
    ['7', 7],
    ['7 B', 7],
    [0, 0],
    [12.9, 12],
  ])('%j is %i bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  test.each(['', ' ', 'GB', '-1GB', '+1GB', '1,5GB', '1.GB', '.5GB', '2 XB', '2GBB', '2G B', '1e3', '0x10', 'NaN'])(
    '%j is not a size',
    (text) => {
      expect(parseSize(text)).toBeUndefined()
    },
  )

  test.each(['9'.repeat(400), `${'9'.repeat(305)}TB`])('%s is not a size: it is too large for a number', (text) => {
    expect(parseSize(text)).toBeUndefined()
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, -1])('the number %d is not a size', (number) => {
    expect(parseSize(number)).toBeUndefined()
  })

  test('are printed with three digits, in the units that parseSize reads', () => {
    expect([0, 1, 999, 1023, 1024, 94_792_320, 2 * GB, 100 * GB, 3 * 2 ** 40].map(formatSize)).toEqual([
      '0 B',
      '1 B',
      '999 B',
      '1 KiB',
      '1 KiB',
      '90.4 MiB',
      '2 GiB',
      '100 GiB',
      '3 TiB',
    ])
  })

  test('that were printed are read back within 1%', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 49 }), (bytes) => {
        const read = parseSize(formatSize(bytes))
        expect(Math.abs((read ?? Number.NaN) - bytes)).toBeLessThanOrEqual(bytes * 0.01)
      }),
    )
  })

  test('any text is an integer number of bytes, or undefined', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const bytes = parseSize(text)
        expect(bytes === undefined || (Number.isInteger(bytes) && bytes >= 0)).toBe(true)
      }),
    )
  })
})

describe('durations', () => {
  test.each<[string | number, number]>([
    ['7d', 7 * DAY],
    ['12h', 12 * HOUR],
    ['30m', 30 * MINUTE],
    ['90s', 90 * SECOND],
    ['500ms', 500],
    ['2W', 14 * DAY],
    [' 1.5 h ', 1.5 * HOUR],
    ['250', 250],
    [' 1500 ', 1500],
    ['1.5', 1.5],
    [0, 0],
    [250, 250],
    [Number.MAX_VALUE, Number.MAX_VALUE],
  ])('%j is %i milliseconds', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  test.each(['', 'd', '-1d', '7 days', '7dd', '1h30m', '1e3s', '7y', 'constructor', Number.NaN, -1])(
    '%j is not a duration',
    (text) => {
      expect(parseDuration(text)).toBeUndefined()
    },
  )

  test.each(['9'.repeat(400), `${'9'.repeat(308)}d`, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    '%s is not a duration: it is infinite',
    (text) => {
      expect(parseDuration(text)).toBeUndefined()
    },
  )

  test('any text is a number of milliseconds, or undefined', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d+(\.\d+)? ?(ms|[smhdw])?$/)), (text) => {
        const ms = parseDuration(text)
        expect(ms === undefined || (Number.isFinite(ms) && ms >= 0)).toBe(true)
      }),
    )
  })

  test('are printed in the most suitable unit', () => {
    expect([0, 0.42, 9.94, 182.4, 999.4, 999.6, 3_940, 59_949, 59_950, 125_000, 2 * HOUR].map(formatDuration)).toEqual([
      '0 ms',
      '0.4 ms',
      '9.9 ms',
      '182 ms',
      '999 ms',
      '1 s',
      '3.94 s',
      '59.9 s',
      '1 m 00 s',
      '2 m 05 s',
      '2 h 00 m',
    ])
  })

  test('are printed as ages with their two largest units', () => {
    const ages = [-5, 0, 999, 40 * SECOND, 2 * MINUTE, 2 * HOUR + 15 * MINUTE + SECOND, 8 * DAY + 3 * HOUR, 8 * DAY]
    expect([...ages, 8 * DAY + 5 * MINUTE].map(formatAge)).toEqual([
      '0s',
      '0s',
      '0s',
      '40s',
      '2m',
      '2h 15m',
      '8d 3h',
      '8d',
      '8d',
    ])
  })
})
