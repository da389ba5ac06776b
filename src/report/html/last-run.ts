import { formatSize } from '../../config/units.ts'
import { failureLines } from '../failures.ts'
import { slowStep } from '../slow-step.ts'
import { countsOf, measureOf } from '../summary.ts'
import type { Report } from '../types.ts'
import { warningsOf } from '../warnings.ts'
import { count, percent } from '../words.ts'
import { type Html, html, prose } from './html.ts'
import { duration } from './table.ts'

/** The main figures of the last run. */
export function figures(report: Report, target: number): Html {
  const { hitRate, requests, hits, times, warmUpMs } = report
  const { load } = times
  return html`<dl class="figures">
${
  hitRate === null
    ? figure('Hit rate', 'None', 'no model was requested')
    : figure('Hit rate', percent(hitRate), `${hits} of ${requests} served by the cache; ${measureOf(report, target)}`)
}${figure('Requests for models', String(requests), countsOf(report))}${saved(report)}${
  load
    ? figure('Load time', duration(load.total), `${count(load.count, 'load')}; the slowest took ${duration(load.max)}`)
    : figure('Load time', 'None', 'no model was loaded')
}${
  warmUpMs === null
    ? figure('Warm-up', 'None', 'no model was prepared before the tests')
    : figure('Warm-up', duration(warmUpMs), 'before the tests started')
}</dl>`
}

function saved({ savedMs, savedBytes }: Report): Html {
  if (savedMs !== null) return figure('Time saved', duration(savedMs), `${formatSize(savedBytes)} not downloaded again`)
  if (savedBytes > 0) return figure('Download saved', formatSize(savedBytes), 'not downloaded again')
  return figure('Time saved', 'None', 'no earlier download was used again')
}

function figure(name: string, value: string, more: string): Html {
  return html`<div><dt>${name}</dt><dd>${value} <small>${more}</small></dd></div>\n`
}

/** What failed in the last run, and what somebody can improve. */
export function notes(report: Report, target: number): Html {
  const step = slowStep(report)
  const items = [
    ...failureLines(report.errors).map((text) => note('failed', 'Failed', text)),
    ...warningsOf(report, target).map((text) => note('warning', 'Warning', text)),
    ...(step ? [note('hint', 'Hint', step)] : []),
  ]
  if (items.length === 0) return html``
  return html`<section aria-labelledby="notes">
<h2 id="notes">What to look at</h2>
<ul role="list" class="notes">${items}</ul>
</section>`
}

function note(kind: string, name: string, text: string): Html {
  return html`<li class="${kind}"><strong>${name}:</strong> ${prose(text)}</li>\n`
}
