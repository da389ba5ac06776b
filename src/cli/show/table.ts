import { printable } from '../../model/printable.ts'
import { shorten } from '../../report/lines.ts'

export interface Column {
  header: string
  /** Aligned to the right, for numbers. */
  isRight?: boolean
  /** Shortened in the middle when the line is too long. */
  isShrinkable?: boolean
}

const GAP = '  '
const NARROWEST = 6

/** Rows under their headers, as whole lines. A line is longer than `width` only if shortening cells is not enough. */
export function renderTable(columns: Column[], rows: string[][], width?: number): string[] {
  const all = [columns.map(({ header }) => header), ...rows.map((row) => row.map(printable))]
  const widths = columns.map((_, index) => Math.max(...all.map((row) => row[index]?.length ?? 0)))
  if (width !== undefined) shrink(columns, widths, width)
  return all.map((row) =>
    columns
      .map(({ isRight }, index) => {
        const room = widths[index] ?? 0
        const cell = shorten(row[index] ?? '', room)
        return isRight ? cell.padStart(room) : cell.padEnd(room)
      })
      .join(GAP)
      .trimEnd(),
  )
}

/** Reduces the widest column that may be shortened, one character at a time, until the line fits. */
function shrink(columns: Column[], widths: number[], width: number): void {
  const total = () => widths.reduce((sum, each) => sum + each, GAP.length * (widths.length - 1))
  while (total() > width) {
    const candidates = columns.flatMap(({ isShrinkable }, index) =>
      isShrinkable && (widths[index] ?? 0) > NARROWEST ? [index] : [],
    )
    const widest = candidates.sort((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0))[0]
    if (widest === undefined) return
    widths[widest] = (widths[widest] ?? 0) - 1
  }
}
