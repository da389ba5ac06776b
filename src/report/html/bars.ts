import { breakable, type Html, html } from './html.ts'
import type { Tick } from './ticks.ts'

/** One row of a bar chart: what it is about, its figure with a unit, and its bar. */
export interface BarRow {
  name: string
  /** More about it, such as the test file. */
  detail?: string | undefined
  value: string
  parts: BarPart[]
}

/** A part of a bar. `from` and `to` are values on the scale. */
export interface BarPart {
  from: number
  to: number
  /** The class that gives the colour. */
  kind: string
  /** A tooltip. */
  title?: string
}

interface Options {
  /** The name of the chart for screen readers. */
  label: string
  /** The end of the scale, which begins at 0. */
  max: number
  ticks?: Tick[]
  isWide?: boolean
}

/** Pixels. A bar is drawn at least this wide, so that each row shows a mark. */
const LEAST_WIDTH = 3
/** Percent of the scale. A mark that starts here still fits on a phone. */
const LAST_START = 99

/**
 * A bar chart as a list of text and small drawings. Names wrap, and bars take the width that the screen has. The text of
 * each row tells its figure, so the drawings are hidden from screen readers.
 */
export function bars(rows: BarRow[], { label, max, ticks = [], isWide = false }: Options): Html {
  const grid = ticks.map(({ at }) => html`<line x1="${percentOf(at, max)}" x2="${percentOf(at, max)}" y2="100%"/>`)
  const items = rows.map(
    ({ name, detail, value, parts }) => html`<li><span class="name">${breakable(name)}${
      detail === undefined ? '' : html` <small>${breakable(detail)}</small>`
    }</span> <span class="value">${value}</span>
<svg class="track" aria-hidden="true"><rect class="back" width="100%" height="100%"/>${grid}${mark(parts, max)}${parts.map(
      (part) => barOf(part, max),
    )}</svg></li>\n`,
  )
  const axis = ticks.map(
    ({ at, label }) => html`<text x="${percentOf(at, max)}" y="12" class="${anchorOf(at, max)}">${label}</text>`,
  )
  return html`<ul role="list" class="bars${isWide ? ' wide-bars' : ''}" aria-label="${label}">
${items}</ul>${axis.length > 0 ? html`<svg class="axis${isWide ? ' wide-axis' : ''}" aria-hidden="true">${axis}</svg>` : ''}`
}

/** A mark of fixed width, in the colour of the longest part. It shows where the bar is, even if the bar is too short to be seen. */
function mark(parts: BarPart[], max: number): Html {
  const [longest] = [...parts].sort((a, b) => b.to - b.from - (a.to - a.from))
  if (!longest) return html``
  const start = Math.min(...parts.map(({ from }) => from))
  const x = Math.min(LAST_START, share(start, max))
  return html`<rect class="${longest.kind}" x="${x.toFixed(2)}%" width="${LEAST_WIDTH}" height="100%"/>`
}

function barOf({ from, to, kind, title }: BarPart, max: number): Html {
  const width = `${(share(to, max) - share(from, max)).toFixed(2)}%`
  const more = title === undefined ? '' : html`<title>${title}</title>`
  return html`<rect class="${kind}" x="${percentOf(from, max)}" width="${width}" height="100%">${more}</rect>`
}

/** The class of a label. It keeps the first and the last label inside the axis. */
function anchorOf(at: number, max: number): string {
  const place = share(at, max)
  return place < 4 ? 'first' : place > 96 ? 'last' : 'middle'
}

function percentOf(at: number, max: number): string {
  return `${share(at, max).toFixed(2)}%`
}

function share(at: number, max: number): number {
  return max > 0 ? Math.min(100, Math.max(0, (at / max) * 100)) : 0
}
