import { expect, test } from 'vitest'
import { renderTable } from '../../src/cli/show/table.ts'
import { shorten } from '../../src/report/lines.ts'
import { cases } from '../support/fuzz.ts'
import fc from '../support/property.ts'

const COLUMNS = [{ header: 'model', isShrinkable: true }, { header: 'size', isRight: true }, { header: 'pinned' }]

test('columns are as wide as their widest cell, numbers are on the right, and no line ends in spaces', () => {
  const lines = renderTable(COLUMNS, [
    ['org/a', '90.4 MiB', ''],
    ['org/longer', '5 B', 'yes'],
  ])
  expect(lines).toEqual(['model           size  pinned', 'org/a       90.4 MiB', 'org/longer       5 B  yes'])
})

test('in a line that is too long, names are shortened in the middle and numbers are not', () => {
  const lines = renderTable(COLUMNS, [['onnx-community/whisper-tiny.en', '146 MiB', 'yes']], 40)
  expect(lines).toEqual(['model                       size  pinned', 'onnx-commun…per-tiny.en  146 MiB  yes'])
})

test('no line is longer than the terminal, as long as names can be shortened', () => {
  const rows = fc.array(
    fc.tuple(fc.string({ unit: 'grapheme-ascii', maxLength: 99 }), fc.string({ maxLength: 9 }), fc.constant('yes')),
  )
  const property = fc.property(rows, fc.integer({ min: 40, max: 120 }), (rows, width) => {
    for (const line of renderTable(COLUMNS, rows, width)) expect(line.length).toBeLessThanOrEqual(width)
  })
  fc.assert(property, cases(500))
})

test('a shortened text has the given width and both its ends', () => {
  const property = fc.property(
    fc.string({ minLength: 7, maxLength: 60 }),
    fc.integer({ min: 3, max: 60 }),
    (text, width) => {
      const cut = shorten(text, width)
      expect(cut.length).toBe(Math.min(width, text.length))
      expect(text.startsWith(cut.split('…')[0] ?? '')).toBe(true)
    },
  )
  fc.assert(property, cases(500))
})
