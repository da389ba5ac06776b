import type { PlotOptions } from '@observablehq/plot'
import { formatDuration } from '../../config/units.ts'
import type { RunSummary } from '../statistics.ts'
import { percent, shortDate } from '../words.ts'
import { Html } from './html.ts'
import { type Drawing, openPlot } from './plot.ts'
import { dateLabels, durationTicks } from './ticks.ts'

/** The charts over several runs, as SVG. Each is drawn twice: for a large screen, and for a phone. */
export interface Charts {
  /** `runs` are newest first. */
  hitRates(runs: RunSummary[], target: number): Html
  savedTimes(runs: RunSummary[]): Html
}

type Draw = (width: number) => Drawing

const [WIDE, NARROW] = [540, 360]
/** Pixels for one date below the axis. */
const LABEL_WIDTH = 100

export async function openCharts(): Promise<Charts> {
  const { Plot, svg } = await openPlot()

  function chart(draw: Draw): Html {
    const drawn = (width: number) => svg({ width, ...draw(width) })
    return new Html(`<div class="wide">${drawn(WIDE)}</div><div class="narrow">${drawn(NARROW)}</div>`)
  }

  /** Runs are drawn at even distances. On a scale of time, ten runs of one afternoon would be one dot. */
  const overRuns = (runs: RunSummary[], width: number): PlotOptions => {
    const every = Math.max(1, Math.ceil(runs.length / (width / LABEL_WIDTH)))
    const ticks = runs.map((_, index) => index + 1).filter((number) => (runs.length - number) % every === 0)
    const labels = dateLabels(ticks.map((number) => runs[number - 1]?.startedAt ?? ''))
    return {
      height: 220,
      marginLeft: 56,
      marginBottom: 30,
      x: { domain: [0.5, runs.length + 0.5], ticks, tickFormat: (_, index) => labels[index] ?? '', label: null },
    }
  }

  return {
    hitRates(newestFirst, target) {
      const runs = [...newestFirst].reverse()
      const points = runs.flatMap((run, index) => (run.hitRate === null ? [] : [{ ...run, number: index + 1 }]))
      const title = (run: RunSummary) => `${shortDate(run.startedAt)}: ${percent(run.hitRate ?? 0)} of ${run.requests}`
      const at = { x: 'number', y: (run: RunSummary) => (run.hitRate ?? 0) * 100 }
      return chart((width) => ({
        ...overRuns(runs, width),
        label: `Hit rate of the last ${runs.length} runs, and the target of ${percent(target)}`,
        y: { domain: [0, 100], grid: true, ticks: 5, tickFormat: (value: number) => `${value}%`, label: null },
        marks: [
          Plot.ruleY([target * 100], { stroke: 'var(--warm)', strokeDasharray: '5 4' }),
          Plot.lineY(points, { ...at, stroke: 'var(--good)', strokeWidth: 2 }),
          Plot.dot(points, { ...at, fill: 'var(--good)', r: runs.length > 40 ? 2 : 4, title }),
        ],
      }))
    },

    savedTimes(newestFirst) {
      const runs = [...newestFirst].reverse()
      const bars = runs.flatMap((run, index) => (run.savedMs === null ? [] : [{ ...run, number: index + 1 }]))
      const title = (run: RunSummary) => `${shortDate(run.startedAt)}: ${formatDuration(run.savedMs ?? 0)}`
      const most = Math.max(1, ...bars.map(({ savedMs }) => savedMs ?? 0))
      const ticks = durationTicks(most)
      return chart((width) => ({
        ...overRuns(runs, width),
        label: `Download time that each of the last ${runs.length} runs saved`,
        y: {
          ...{ grid: true, domain: [0, most], ticks: ticks.map(({ at }) => at), label: null },
          tickFormat: (_, index) => ticks[index]?.label ?? '',
        },
        marks: [
          Plot.rectY(bars, {
            ...{ x1: (bar) => bar.number - 0.35, x2: (bar) => bar.number + 0.35, y: 'savedMs' },
            ...{ fill: 'var(--accent)', title, insetLeft: 0.5, insetRight: 0.5 },
          }),
          Plot.ruleY([0], { stroke: 'currentColor' }),
        ],
      }))
    },
  }
}
