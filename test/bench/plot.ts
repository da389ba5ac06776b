import { writeFile } from 'node:fs/promises'
import { formatSize } from '../../src/config/units.ts'
import { openPlot } from '../../src/report/html/plot.ts'
import type { Growth } from './row.ts'
import { show } from './table.ts'

const PANEL = { width: 320, height: 216 }
const COLUMNS = 3
const MEGABYTE = 2 ** 20
/** The height of the legend above each panel. */
const HEAD = 76
const COLOURS = ['#0550ae', '#bc4c00', '#1a7f37', '#8250df']

/** The costs with the same unit and axis. */
interface Panel {
  axis: string
  unit: Growth['unit']
  lines: Growth[]
}

/**
 * Draws the growth of costs as small multiples with two logarithmic scales: a flat line is a constant cost, a line parallel to the
 * diagonal grows by the same factor as its axis. The background is white in each theme of the page.
 */
export async function plotGrowth(file: string, growth: Growth[]): Promise<void> {
  const panels = panelsOf(growth)
  if (panels.length === 0) throw new Error('There is no growth to draw: measure it with `npm run bench -- growth`.')
  const { Plot, svg } = await openPlot()
  const draw = ({ axis, unit, lines }: Panel) => {
    const points = lines.flatMap((line, index) =>
      drawable(line).map(({ at, value }) => ({ at, value: value.median, color: COLOURS[index % COLOURS.length] })),
    )
    const numbers = [...new Set(points.map(({ at }) => at))]
    return svg({
      ...PANEL,
      ...{ marginLeft: 62, marginRight: 24, marginTop: 10, marginBottom: 34 },
      label: lines.map(describe).join('; '),
      x: { type: 'log', ticks: numbers, tickFormat: (at: number) => labelOf(axis, at), label: axisLabel(axis) },
      y: {
        ...scaleOf(
          points.map(({ value }) => value),
          unit,
        ),
        grid: true,
        tickFormat: (value: number) => tick(value, unit),
        label: null,
      },
      marks: [
        Plot.lineY(points, { x: 'at', y: 'value', z: 'color', stroke: 'color', strokeWidth: 2 }),
        Plot.dot(points, { x: 'at', y: 'value', fill: 'color', r: 3 }),
      ],
    })
  }
  await writeFile(file, page(panels.map((panel) => ({ panel, drawn: draw(panel) }))))
}

/** The points with a value above 0, because a logarithmic scale has no zero. */
function drawable({ points }: Growth): Growth['points'] {
  return points.filter(({ value }) => value.median > 0)
}

function panelsOf(growth: Growth[]): Panel[] {
  const panels = new Map<string, Panel>()
  for (const line of growth) {
    if (drawable(line).length === 0) continue
    const key = `${line.axis} ${line.unit}`
    const panel = panels.get(key) ?? { axis: line.axis, unit: line.unit, lines: [] }
    panel.lines.push(line)
    panels.set(key, panel)
  }
  return [...panels.values()]
}

/** At least two decades: with fewer, noise in a flat line would look like growth. */
function scaleOf(values: number[], unit: Growth['unit']) {
  const one = unit === 'bytes' ? MEGABYTE : 1
  const [low, high] = [Math.min(...values) / one, Math.max(...values) / one]
  const missing = Math.max(0, 2 - Math.log10(high / low)) / 2
  const from = Math.floor(Math.log10(low) - missing)
  const to = Math.ceil(Math.log10(high) + missing)
  const ticks = Array.from({ length: to - from + 1 }, (_, index) => one * 10 ** (from + index))
  return { type: 'log' as const, domain: [ticks[0] ?? one, ticks.at(-1) ?? one], ticks }
}

function tick(value: number, unit: Growth['unit']): string {
  if (unit === 'bytes') return formatSize(value)
  if (unit === 'ms') return value >= 1000 ? `${Math.round(value / 1000)} s` : `${round(value)} ms`
  return `${round(value)}${unit === 'x' ? 'x' : ''}`
}

/** Rounds away the error of the logarithm in a power of ten. */
function round(value: number): number {
  return Number(value.toPrecision(1))
}

function labelOf(axis: string, at: number): string {
  return axis === 'bytes' ? formatSize(at) : at.toLocaleString('en')
}

function axisLabel(axis: string): string {
  return axis === 'bytes' ? 'size of the model' : axis
}

function describe({ what, axis, unit, points }: Growth): string {
  const [first, last] = [points[0], points.at(-1)]
  if (!first || !last) return what
  const at = (point: typeof first) => `${show(point.value.median, unit)} at ${labelOf(axis, point.at)}`
  return `${what.replaceAll('`', '')}: ${at(first)}, ${at(last)}`
}

function page(drawn: { panel: Panel; drawn: string }[]): string {
  const width = COLUMNS * PANEL.width
  const height = Math.ceil(drawn.length / COLUMNS) * (PANEL.height + HEAD)
  const parts = drawn.map(({ panel, drawn }, index) => {
    const x = (index % COLUMNS) * PANEL.width
    const y = Math.floor(index / COLUMNS) * (PANEL.height + HEAD)
    const names = panel.lines.map(({ what }, line) => {
      const place = `x="10" y="${18 + line * 16}" fill="${COLOURS[line % COLOURS.length]}"`
      return `<text ${place}>${escaped(what.replaceAll('`', ''))}</text>`
    })
    return `<g transform="translate(${x} ${y})">${names.join('')}<g transform="translate(0 ${HEAD})">${drawn}</g></g>`
  })
  const size = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`
  const letters = 'font-family="system-ui, sans-serif" font-size="12" fill="#1f2328" color="#1f2328"'
  const title = '<title>How costs grow, on logarithmic scales</title>'
  const back = `<rect width="${width}" height="${height}" rx="8" fill="#ffffff"/>`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${letters}>${title}${back}${parts.join('')}</svg>\n`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
