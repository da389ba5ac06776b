import { formatSize } from '../../src/config/units.ts'
import { type Growth, holds, type Row } from './row.ts'

/** The rows as a Markdown table: median, spread, target, and whether the target is reached. */
export function table(rows: Row[]): string {
  return markdown(
    ['what', 'median', 'from, to', 'rounds', 'reach', ''],
    rows.map((row) => {
      const { what, unit, value } = row
      const spread = `${show(value.min, unit)} to ${show(value.max, unit)}`
      return [what, show(value.median, unit), spread, String(value.rounds), reach(row), verdict(row)]
    }),
  )
}

/** A Markdown table with one line for each cost: its points and its values. */
export function growthTable(growth: Growth[]): string {
  return markdown(
    ['what', 'at', 'is'],
    growth.map(({ axis, what, unit, points }) => [
      what,
      `${points.map(({ at }) => (axis === 'bytes' ? formatSize(at) : String(at))).join(', ')}${axis === 'bytes' ? '' : ` ${axis}`}`,
      points.map(({ value }) => show(value.median, unit)).join(', '),
    ]),
  )
}

export function markdown(head: string[], rows: string[][]): string {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

export function show(value: number, unit: Row['unit']): string {
  if (unit === 'bytes') return value < 0 ? `-${formatSize(-value)}` : formatSize(value)
  if (unit === 'requests') return String(value)
  const digits = Math.abs(value) < 10 ? 2 : 1
  return unit === 'x' ? `${value.toFixed(digits)}x` : `${value.toFixed(digits)} ms`
}

function reach({ unit, atMost, atLeast }: Row): string {
  if (atMost !== undefined) return `<= ${show(atMost, unit)}`
  return atLeast === undefined ? '' : `>= ${show(atLeast, unit)}`
}

function verdict(row: Row): string {
  const isReached = holds(row)
  if (isReached === undefined) return ''
  return isReached ? 'holds' : 'does not hold'
}
