import type { MarkOptions, PlotOptions } from '@observablehq/plot'
import { formatAge, formatDuration, formatSize } from '../../config/units.ts'
import { visible } from '../../model/printable.ts'
import { shorten } from '../lines.ts'
import type { CachedEntry, RunSummary } from '../statistics.ts'
import type { Span } from '../types.ts'
import { percent, shortDate } from '../words.ts'
import { Html } from './html.ts'
import { type Drawing, openPlot } from './plot.ts'

export const STEPS = ['lookup', 'restore', 'download', 'load'] as const
const DAY_MS = 24 * 3_600_000
const BARS_SHOWN = 15
const SPANS_SHOWN = 40
/** A name stands above its bar: beside it there would be no room on a telephone. */
const ROW = { height: 42, insetTop: 20, insetBottom: 6 }

/** What draws the charts of a page, as SVG: at a width for a large screen, and at one for a telephone. */
export interface Charts {
  hitRates(runs: RunSummary[], target: number): Html
  savedTimes(runs: RunSummary[]): Html
  sizes(entries: CachedEntry[]): Html
  ages(entries: CachedEntry[], maxAgeMs: number, now: number): Html
  timeline(spans: Span[]): Html
}

type Draw = (width: number) => Drawing

export async function openCharts(): Promise<Charts> {
  const { Plot, svg } = await openPlot()

  function chart(draw: Draw, [wide, narrow]: [number, number]): Html {
    const drawn = (width: number) => svg({ width, ...draw(width) })
    return new Html(`<div class="wide">${drawn(wide)}</div><div class="narrow">${drawn(narrow)}</div>`)
  }

  /** Runs are drawn at even distances: ten of one afternoon and one of last week would else be two dots. */
  const overRuns = (runs: RunSummary[], width: number): PlotOptions => {
    const every = Math.max(1, Math.ceil(runs.length / (width / 110)))
    const ticks = runs.map((_, index) => index + 1).filter((number) => (runs.length - number) % every === 0)
    const tickFormat = (number: number) => shortDate(runs[number - 1]?.startedAt ?? '').slice(5)
    return {
      height: 220,
      marginLeft: 56,
      marginBottom: 30,
      x: { domain: [0.5, runs.length + 0.5], ticks, tickFormat, label: null },
    }
  }

  return {
    hitRates(newestFirst, target) {
      const runs = [...newestFirst].reverse()
      const points = runs.flatMap((run, index) => (run.hitRate === null ? [] : [{ ...run, number: index + 1 }]))
      const title = (run: RunSummary) => `${shortDate(run.startedAt)}: ${percent(run.hitRate ?? 0)} of ${run.requests}`
      const at = { x: 'number', y: (run: RunSummary) => (run.hitRate ?? 0) * 100 }
      const draw: Draw = (width) => ({
        ...overRuns(runs, width),
        label: `Hit rate over the last ${runs.length} runs, against the target of ${percent(target)}`,
        y: { domain: [0, 100], grid: true, ticks: 5, tickFormat: (value: number) => `${value}%`, label: null },
        marks: [
          Plot.ruleY([target * 100], { stroke: 'var(--warm)', strokeDasharray: '5 4' }),
          Plot.lineY(points, { ...at, stroke: 'var(--good)', strokeWidth: 2 }),
          Plot.dot(points, { ...at, fill: 'var(--good)', r: 4, title }),
        ],
      })
      return chart(draw, [540, 360])
    },

    savedTimes(newestFirst) {
      const runs = [...newestFirst].reverse()
      const bars = runs.flatMap((run, index) => (run.savedMs === null ? [] : [{ ...run, number: index + 1 }]))
      const title = (run: RunSummary) => `${shortDate(run.startedAt)}: ${formatDuration(run.savedMs ?? 0)}`
      const draw: Draw = (width) => ({
        ...overRuns(runs, width),
        label: `Time of download that each of the last ${runs.length} runs was spared`,
        y: { grid: true, ticks: 5, tickFormat: (ms: number) => formatDuration(ms), label: null, zero: true },
        marks: [
          Plot.rectY(bars, {
            ...{ x1: (bar) => bar.number - 0.35, x2: (bar) => bar.number + 0.35, y: 'savedMs' },
            ...{ fill: 'var(--accent)', title, insetLeft: 0.5, insetRight: 0.5 },
          }),
          Plot.ruleY([0], { stroke: 'currentColor' }),
        ],
      })
      return chart(draw, [540, 360])
    },

    sizes(entries) {
      const bars = largest(entries)
      const draw: Draw = (width) => ({
        ...rows(bars.length, width),
        label: `Size of the ${bars.length} largest models`,
        x: { grid: true, ticks: sizeTicks(bars[0]?.bytes ?? 0), tickFormat: formatSize, label: null, zero: true },
        marks: [
          Plot.barX(bars, { x: 'bytes', y: 'key', fill: 'var(--accent)', title: 'label', ...inset }),
          Plot.text(bars, {
            y: 'key',
            text: (bar) => `${nameOf(bar.model, width, 62)}  ${formatSize(bar.bytes)}`,
            ...above,
          }),
        ],
      })
      return chart(draw, [540, 360])
    },

    ages(entries, maxAgeMs, now) {
      const bars = largest(entries).map((bar) => ({ ...bar, days: (now - Date.parse(bar.lastUsedAt)) / DAY_MS }))
      const limit = maxAgeMs / DAY_MS
      const isShown = Number.isFinite(limit) && limit <= 10 * Math.max(1, ...bars.map(({ days }) => days))
      const draw: Draw = (width) => ({
        ...rows(bars.length, width),
        label: `Days since each of these models was used, against the limit of ${formatAge(maxAgeMs)}`,
        x: { grid: true, ticks: 4, tickFormat: (days: number) => `${days} d`, label: null, zero: true },
        marks: [
          Plot.barX(bars, { x: 'days', y: 'key', fill: 'var(--restore)', title: 'label', ...inset }),
          ...(isShown ? [Plot.ruleX([limit], { stroke: 'var(--bad)', strokeWidth: 2, strokeDasharray: '5 4' })] : []),
          Plot.text(bars, {
            ...{ y: 'key', ...above },
            text: (bar) => `${nameOf(bar.model, width, 110)}  used ${formatAge(bar.days * DAY_MS)} ago`,
          }),
        ],
      })
      return chart(draw, [540, 360])
    },

    timeline(spans) {
      const shown = spans.slice(0, SPANS_SHOWN)
      const start = Math.min(...shown.map(({ at }) => at))
      const parts = shown.flatMap((span, index) => partsOf(span, index, start))
      const draw: Draw = (width) => ({
        ...rows(shown.length, width),
        label: `When models were warmed up and loaded in the last run: ${shown.length} requests, as the table below has them`,
        x: { grid: true, ticks: width / 100, tickFormat: (ms: number) => formatDuration(ms), label: null, zero: true },
        y: { type: 'band', domain: shown.map((_, index) => String(index)), axis: null, padding: 0 },
        marks: [
          Plot.barX(parts, { x1: 'from', x2: 'to', y: 'key', fill: 'color', title: 'label', ...inset }),
          Plot.text(shown, {
            ...{ y: (_: Span, index: number) => String(index), ...above },
            text: (span) => nameOf(`${span.model} · ${span.testFile ?? 'warm-up'}`, width),
          }),
        ],
      })
      return chart(draw, [1120, 360])
    },
  }
}

const inset = { insetTop: ROW.insetTop, insetBottom: ROW.insetBottom }
const above: MarkOptions & Record<string, unknown> = {
  ...{ frameAnchor: 'left', textAnchor: 'start', dy: -11, fontSize: 12 },
  // A halo: a line of the grid must not strike a name through.
  ...{ stroke: 'var(--back)', strokeWidth: 5, fill: 'currentColor' },
}

function rows(count: number, width: number): PlotOptions {
  const [marginBottom, marginTop] = [26, 6]
  const height = count * ROW.height + marginBottom + marginTop
  return {
    ...{ height, marginTop, marginBottom, marginLeft: 6, marginRight: width < 500 ? 26 : 30 },
    y: { type: 'band', axis: null, padding: 0 },
  }
}

/** The largest models, under keys of their own: two commits of one repo bear one name. */
function largest(entries: CachedEntry[]) {
  const sorted = [...entries].sort((a, b) => b.bytes - a.bytes).slice(0, BARS_SHOWN)
  return sorted.map((entry, index) => ({
    ...entry,
    key: String(index).padStart(2, '0'),
    label: visible(`${entry.model}: ${formatSize(entry.bytes)}`),
  }))
}

/** Some four round numbers of the units in which sizes are shown, which are powers of 1024. */
function sizeTicks(max: number): number[] {
  const unit = 1024 ** Math.max(0, Math.floor(Math.log2(Math.max(1, max)) / 10))
  const step =
    unit * ([0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 25, 50, 100, 250].find((size) => size * 4 * unit >= max) ?? 500)
  return Array.from({ length: Math.floor(max / step) + 1 }, (_, index) => index * step)
}

/** A name in as much room as there is: some seven units a letter, less what follows it. */
function nameOf(name: string, width: number, rest = 0): string {
  return shorten(visible(name), Math.floor((width - rest - 60) / 7))
}

function partsOf(span: Span, index: number, start: number) {
  let from = span.at - start
  return STEPS.flatMap((step) => {
    const ms = span.steps[step]
    const part = { key: String(index), from, to: from + ms, color: `var(--${step})` }
    from += ms
    return ms > 0 ? [{ ...part, label: visible(`${step} ${formatDuration(ms)}: ${span.model}`) }] : []
  })
}
