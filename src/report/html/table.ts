import { formatDuration, formatSize } from '../../config/units.ts'
import { breakable, Html, html } from './html.ts'

export interface Column<Row> {
  name: string
  /** An empty text means that there is no value. */
  show: (row: Row) => string
  /** The sort key. Default: the shown text. */
  value?: (row: Row) => number | string
  /** Text (the default) may wrap. A word, a number and a date stay on one line, a number to the right. */
  kind?: 'text' | 'word' | 'number' | 'date'
}

interface Options<Row> {
  id: string
  caption: string
  columns: Column<Row>[]
  rows: Row[]
}

/**
 * A table. Its column headings sort it, if it has more than one row. A column without any value is left out. On a phone each
 * row becomes a block, and each cell shows the name of its column. The roles keep it a table for screen readers.
 */
export function table<Row>({ id, caption, columns, rows }: Options<Row>): Html {
  const isSortable = rows.length > 1
  const shown = columns.filter(({ show }, index) => index === 0 || rows.some((row) => show(row) !== ''))
  const headings = shown.map((column) => heading(column, isSortable))
  const body = rows.map((row) => html`<tr role="row">${shown.map((column, index) => cell(column, row, index))}</tr>\n`)
  const hint = isSortable ? html` <span class="hint">Select a column heading to sort.</span>` : ''
  // A table that is larger than the screen scrolls inside its region, by keyboard too.
  return html`<div class="scroll" role="region" tabindex="0" aria-labelledby="${id}-caption"><table role="table" id="${id}"${new Html(isSortable ? ' data-sortable' : '')}>
<caption id="${id}-caption">${caption}${hint}</caption>
<thead role="rowgroup"><tr role="row">${headings}</tr></thead>
<tbody role="rowgroup">${body}</tbody>
</table></div>`
}

export function numbers<Row>(name: string, value: (row: Row) => number, show = String as (value: number) => string) {
  return { name, value, show: (row: Row) => show(value(row)), kind: 'number' as const }
}

/** Durations from milliseconds. Zero means that there was no such step, and shows nothing. */
export function durations<Row>(name: string, value: (row: Row) => number): Column<Row> {
  return numbers(name, value, (ms) => (ms === 0 ? '' : duration(ms)))
}

export function sizes<Row>(name: string, value: (row: Row) => number): Column<Row> {
  return numbers(name, value, (size) => (size === 0 ? '' : formatSize(size)))
}

/** Dates from ISO 8601, as `2026-01-15 10:30`, or with seconds. */
export function dates<Row>(name: string, value: (row: Row) => string, hasSeconds = false): Column<Row> {
  const show = (row: Row) =>
    value(row)
      .slice(0, hasSeconds ? 19 : 16)
      .replace('T', ' ')
  return { name, value, show, kind: 'date' }
}

/** As `formatDuration`, but `< 0.1 ms` for a shorter time: a step that ran must not look like a step that was skipped. */
export function duration(ms: number): string {
  return ms > 0 && ms < 0.05 ? '< 0.1 ms' : formatDuration(ms)
}

function heading<Row>({ name, kind = 'text' }: Column<Row>, isSortable: boolean): Html {
  if (!isSortable) return html`<th role="columnheader" scope="col" class="${kind}">${name}</th>`
  return html`<th role="columnheader" scope="col" class="${kind}" aria-sort="none"><button type="button">${name}</button></th>`
}

function cell<Row>({ name, show, value, kind = 'text' }: Column<Row>, row: Row, index: number): Html {
  const text = show(row)
  const sortedBy = value?.(row) ?? text
  const shown = kind === 'text' ? breakable(text) : text
  if (index === 0) return html`<th role="rowheader" scope="row" class="${kind}" data-value="${sortedBy}">${shown}</th>`
  return html`<td role="cell" class="${kind}" data-label="${name}" data-value="${sortedBy}">${shown}</td>`
}
