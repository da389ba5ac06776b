import type { Span } from '../types.ts'
import { count } from '../words.ts'
import { type BarRow, bars } from './bars.ts'
import { type Html, html } from './html.ts'
import { STEPS } from './steps.ts'
import { duration } from './table.ts'
import { spanTable } from './tables.ts'
import { durationTicks } from './ticks.ts'

const SPANS_SHOWN = 40
/** Milliseconds. On a shorter scale two ticks would have the same label. */
const SHORTEST_SCALE = 1

/** When the models of the last run were warmed up and loaded. */
export function timeline(spans: Span[]): Html {
  return html`<section aria-labelledby="timeline">
<h2 id="timeline">Timeline of the last run</h2>
${spans.length === 0 ? html`<p>No model was downloaded or loaded in this run.</p>` : chart(spans)}
</section>`
}

function chart(spans: Span[]): Html {
  const start = Math.min(...spans.map(({ at }) => at))
  const shown = [...spans].sort((a, b) => lengthOf(b) - lengthOf(a)).slice(0, SPANS_SHOWN)
  const rows = shown.sort((a, b) => a.at - b.at).map((span) => rowOf(span, start))
  const max = Math.max(SHORTEST_SCALE, ...shown.map((span) => span.at - start + lengthOf(span)))
  const used = STEPS.filter(({ step }) => spans.some(({ steps }) => steps[step] > 0))
  const which =
    spans.length > SPANS_SHOWN ? ` The ${SPANS_SHOWN} longest of ${spans.length} recorded requests are shown.` : ''
  return html`<p>When each model was downloaded or loaded, from the first request on. Requests for a model that the worker had in memory already are left out.${which}</p>
<ul role="list" class="legend">${used.map(({ step, name, meaning }) => html`<li><svg aria-hidden="true"><rect class="${step}" width="12" height="12" rx="2"/></svg> <span><b>${name}</b>: ${meaning}</span></li>`)}</ul>
<figure>${bars(rows, {
    label: `When ${count(rows.length, 'request')} began, and how long each took`,
    max,
    ticks: durationTicks(max),
    isWide: true,
  })}
<figcaption>Time since the first request. The figure beside a bar is how long the request took.</figcaption></figure>
<details><summary>These requests as a table</summary>${spanTable(spans)}</details>`
}

function rowOf(span: Span, start: number): BarRow {
  let from = span.at - start
  const parts = STEPS.flatMap(({ step, name }) => {
    const ms = span.steps[step]
    const part = { kind: step, from, to: from + ms, title: `${name}: ${duration(ms)}` }
    from += ms
    return ms > 0 ? [part] : []
  })
  // A request without any measured time gets a mark too.
  const [first = { kind: 'lookup', from, to: from }, ...others] = parts
  return {
    name: span.model,
    detail: span.testFile ?? 'warm-up',
    value: duration(lengthOf(span)),
    parts: [first, ...others],
  }
}

function lengthOf({ steps }: Span): number {
  return steps.lookup + steps.restore + steps.download + steps.load
}
