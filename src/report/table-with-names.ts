import { indented, joinParts, table, unbroken } from './lines.ts'

/** The cells of a row. The first and the last may be long; those between are numbers. */
export type Row = [first: string, ...numbers: string[], last: string]

// The narrowest first column of a table.
const LEAST_ROOM = 16
const GAP = '  '

/**
 * A table as lines, one list for each row. No cell is cut: a first or last cell that is too long has a line of its own, and
 * in a narrow terminal the other cells stand below the first.
 */
export function tableWithNames(head: Row, rows: Row[], columns: number): string[][] {
  const all = [head, ...rows]
  const numbers = table(
    all.map((row) => row.slice(1, -1)),
    head.slice(1, -1).map(() => true),
  )
  const room = columns - longest(numbers) - 2 * GAP.length - Number(head.at(-1)?.length)
  if (room < LEAST_ROOM) return [[], ...rows.map((row) => belowFirstCell(head, row, columns))]
  const firstWidth = Math.min(longest(all.map(([first]) => first)), room)
  return all.map((row, index) => {
    const [first] = row
    const isTooLong = first.length > firstWidth
    const line = [(isTooLong ? '' : first).padEnd(firstWidth), numbers[index]].join(GAP)
    const [name, last] = [isTooLong ? [first] : [], row.at(-1) ?? '']
    const whole = `${line}${GAP}${last}`.trimEnd()
    return whole.length <= columns ? [...name, whole] : [...name, line, `    ${last}`]
  })
}

function longest(texts: string[]): number {
  return Math.max(0, ...texts.map(({ length }) => length))
}

function belowFirstCell(head: Row, [first, ...others]: Row, columns: number): string[] {
  const named = others.flatMap((cell, index) => (cell === '' ? [] : `${head[index + 1]} ${unbroken(cell)}`))
  return [first, ...indented(joinParts(named, columns - 4, ''), '    ')]
}
