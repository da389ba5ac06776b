import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Cell, type Measured, measure } from '../support/faults/measure.ts'
import { CONTROL, ROWS } from '../support/faults/rows.ts'
import { markdownOf, tableOf, tableUnder, wordsOf } from '../support/faults/table.ts'

const HEADING = '# Faults and their outcomes'

let measured: Measured

beforeAll(async () => {
  measured = await measure(ROWS)
})

function ourCell(index: number): Cell {
  const cell = measured.cells.ours[index]
  if (!cell) throw new Error(`Row ${index} was not measured`)
  return cell
}

describe.each(ROWS.map((row, index) => ({ ...row, index })))('the fault: $name', ({ index, file, ours }) => {
  test(`has the expected outcome: ${ours}`, () => {
    expect(wordsOf(measured.cells.ours)[index]).toBe(ours)
  })

  test('makes no wrong file visible in a model', () => {
    expect(ourCell(index).faulty.wrong).toEqual([])
  })

  test('does not affect the next run, which downloads only the missing bytes', () => {
    const { faulty, next } = ourCell(index)
    expect(next).toMatchObject({ outcome: 'ok', wrong: [], partBytes: 0 })
    expect(next.bytes).toBe(faulty.outcome === 'ok' ? 0 : (measured.sizes.get(file) ?? 0) - faulty.partBytes)
  })
})

test('without a fault, all clients download the model once', () => {
  const { ours, hub, transformers } = measured.cells
  const control = ROWS.indexOf(CONTROL)
  expect([ours, hub, transformers].map((cells) => wordsOf(cells)[control])).toEqual(['ok', 'ok', 'ok'])
  expect([ours, hub, transformers].map((cells) => cells[control]?.next.bytes)).toEqual([0, 0, 0])
})

test('docs/faults.md shows the measured table, which `npm run faults` prints', async () => {
  const document = await readFile(new URL('../../docs/faults.md', import.meta.url), 'utf8')
  expect(markdownOf(tableUnder(HEADING, document))).toBe(markdownOf(await tableOf(ROWS, measured)))
})
