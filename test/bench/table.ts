import { formatSize } from '../../src/config/units.ts'
import type { Row } from './row.ts'

/** The rows as Markdown: median, spread, and whether what is to be reached holds. */
export function table(rows: Row[]): string {
  const cells = rows.map(({ what, unit, value, reach }) => [
    what,
    show(value.median, unit),
    `${show(value.min, unit)} to ${show(value.max, unit)}`,
    String(value.rounds),
    reach === undefined ? '' : `<= ${show(reach, unit)}`,
    reach === undefined ? '' : value.median <= reach ? 'holds' : 'does not hold',
  ])
  const head = ['what', 'median', 'from, to', 'rounds', 'reach', '']
  const widths = head.map((name, column) => Math.max(name.length, ...cells.map((row) => row[column]?.length ?? 0)))
  const line = (row: string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...cells.map(line)].join('\n')
}

function show(value: number, unit: Row['unit']): string {
  if (unit === 'bytes') return value < 0 ? `-${formatSize(-value)}` : formatSize(value)
  return unit === 'x' ? `${value.toFixed(2)}x` : `${value.toFixed(1)} ms`
}
