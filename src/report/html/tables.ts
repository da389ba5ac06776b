import { formatDuration, formatSize } from '../../config/units.ts'
import type { CachedEntry, ModelUse, RunSummary } from '../statistics.ts'
import type { Span } from '../types.ts'
import { percent, shortDate } from '../words.ts'
import { STEPS } from './charts.ts'
import { type Html, html } from './html.ts'

interface Column<Row> {
  name: string
  show: (row: Row) => string
  /** What rows are sorted by, where that is not what is shown; a number stands to the right. */
  value?: (row: Row) => number | string
  isNumber?: boolean
  /** Kept on one line. */
  isDate?: boolean
}

/** All models that are cached or were used: to be sorted and filtered. */
export function modelTable(entries: CachedEntry[], uses: ModelUse[]): Html {
  const usesOf = new Map(uses.map((use) => [use.model, use]))
  const cached = new Set(entries.map(({ model }) => model))
  const gone = uses
    .filter(({ model }) => !cached.has(model))
    .map((use) => ({ entry: undefined, use, model: use.model }))
  const rows = [...entries.map((entry) => ({ entry, use: usesOf.get(entry.model), model: entry.model })), ...gone]
  type Row = { entry?: CachedEntry; use?: ModelUse; model: string }
  const lastUsed = ({ entry, use }: Row) => entry?.lastUsedAt ?? use?.lastUsedAt ?? ''
  const columns: Column<Row>[] = [
    { name: 'Model', show: ({ model }) => model },
    { name: 'State', show: ({ entry }) => (entry ? (entry.pinned ? 'pinned' : 'cached') : 'not cached') },
    bytes('Size', ({ entry, use }) => entry?.bytes ?? use?.bytes ?? 0),
    number(
      'Uses a week',
      ({ use }) => use?.usesPerWeek ?? 0,
      (value) => value.toFixed(1),
    ),
    milliseconds('Load', ({ use }) => use?.loadMs ?? 0),
    { name: 'Last used', show: (row) => shortDate(lastUsed(row)), value: lastUsed, isDate: true },
    { name: 'Brought in', show: ({ entry }) => (entry ? shortDate(entry.cachedAt) : ''), isDate: true },
    { name: 'Last test file', show: ({ use }) => use?.lastTestFile ?? '' },
  ]
  return html`<div class="filter"><label for="filter">Filter</label><input id="filter" type="search" data-for="models"><span role="status" data-for="models"></span></div>
${table('models', 'Models in the cache, and models that runs used. The heads sort.', columns, rows, true)}`
}

export function runTable(runs: RunSummary[]): Html {
  const columns: Column<RunSummary>[] = [
    { name: 'Run (UTC)', show: ({ startedAt }) => shortDate(startedAt), isDate: true },
    number(
      'Hit rate',
      ({ hitRate }) => hitRate ?? -1,
      (rate) => (rate < 0 ? '' : percent(rate)),
    ),
    number('Requests', ({ requests }) => requests),
    number('Misses', ({ misses }) => misses),
    milliseconds('Saved', ({ savedMs }) => savedMs ?? 0),
    bytes('Downloaded', ({ downloadedBytes }) => downloadedBytes),
    milliseconds('Warm-up', ({ warmUpMs }) => warmUpMs ?? 0),
    milliseconds('Run', ({ durationMs }) => durationMs ?? 0),
    number('Errors', ({ errors }) => errors),
    { name: 'Project', show: ({ project }) => project },
  ]
  return table('runs', 'Runs, newest first. The heads sort.', columns, runs)
}

export function spanTable(spans: Span[]): Html {
  const start = Math.min(...spans.map(({ at }) => at))
  const columns: Column<Span>[] = [
    { name: 'Model', show: ({ model }) => model },
    { name: 'Asked by', show: ({ testFile }) => testFile ?? 'warm-up' },
    { name: 'Served from', show: ({ tier }) => tier },
    number('After', ({ at }) => at - start, formatDuration),
    ...STEPS.map((step) => milliseconds<Span>(step, ({ steps }) => steps[step])),
    bytes('Size', ({ bytes }) => bytes),
  ]
  return table('spans', 'Requests of the last run, in the order in which they began. The heads sort.', columns, spans)
}

function table<Row>(id: string, caption: string, columns: Column<Row>[], rows: Row[], isFirstSorted = false): Html {
  const heads = columns.map(
    (column) =>
      html`<th scope="col" class="${kindOf(column)}" aria-sort="none"><button type="button">${column.name}</button></th>`,
  )
  const sorted = isFirstSorted
    ? [...rows].sort((a, b) => (columns[0]?.show(a) ?? '').localeCompare(columns[0]?.show(b) ?? ''))
    : rows
  const body = sorted.map((row) => html`<tr>${columns.map((column, index) => cell(column, row, index === 0))}</tr>\n`)
  // What is wider than the screen is scrolled by itself, by keyboard too.
  return html`<div class="scroll" role="region" tabindex="0" aria-labelledby="${id}-caption"><table id="${id}" data-sortable>
<caption id="${id}-caption">${caption}</caption>
<thead><tr>${heads}</tr></thead>
<tbody>${body}</tbody>
</table></div>`
}

function cell<Row>(column: Column<Row>, row: Row, isFirst: boolean): Html {
  const { show, value } = column
  const sortedBy = value?.(row) ?? show(row)
  if (isFirst) return html`<th scope="row" data-value="${sortedBy}">${show(row)}</th>`
  return html`<td class="${kindOf(column)}" data-value="${sortedBy}">${show(row)}</td>`
}

function kindOf<Row>({ isNumber, isDate }: Column<Row>): string {
  return isNumber ? 'number' : isDate ? 'date' : 'text'
}

function number<Row>(
  name: string,
  value: (row: Row) => number,
  show = String as (value: number) => string,
): Column<Row> {
  return { name, value, show: (row) => show(value(row)), isNumber: true }
}

function milliseconds<Row>(name: string, value: (row: Row) => number): Column<Row> {
  return number(name, value, (ms) => (ms === 0 ? '' : formatDuration(ms)))
}

function bytes<Row>(name: string, value: (row: Row) => number): Column<Row> {
  return number(name, value, (size) => (size === 0 ? '' : formatSize(size)))
}
