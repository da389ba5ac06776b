import { createHash } from 'node:crypto'
import { formatDuration, formatSize } from '../../config/units.ts'
import { originals } from '../../platform/originals.ts'
import { failureLines } from '../failures.ts'
import { slowStep } from '../slow-step.ts'
import type { Statistics } from '../statistics.ts'
import { countsOf, measureOf } from '../summary.ts'
import type { Run } from '../types.ts'
import { warningsOf } from '../warnings.ts'
import { count, percent, shortDate } from '../words.ts'
import { type Charts, openCharts, STEPS } from './charts.ts'
import { enhanceTables } from './enhance-tables.ts'
import { Html, html } from './html.ts'
import { STYLE } from './style.ts'
import { modelTable, runTable, spanTable } from './tables.ts'

/** The page of a project: the last run, the trend of those before it, and what the cache holds. It needs no network. */
export async function renderPage(statistics: Statistics, last: Run, target: number): Promise<string> {
  const charts = await openCharts()
  const now = originals.now()
  const script = `(${enhanceTables})()`
  // Nothing is loaded, and nothing runs but what stands here: whatever a name holds, should it ever get through.
  const policy = `default-src 'none'; style-src 'sha256-${digest(STYLE)}'; script-src 'sha256-${digest(script)}'; base-uri 'none'; form-action 'none'`
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Model cache: run of ${shortDate(last.startedAt)}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<h1>Model cache</h1>
<p class="muted place">Run of ${shortDate(last.startedAt)} (UTC) in ${last.project}</p>
${tiles(last, target)}
${notes(last, target)}
${trend(charts, statistics, target)}
${cache(charts, statistics, now)}
${timeline(charts, last)}
</main>
<script>${new Html(script)}</script>
</body>
</html>
`
  return page.text
}

function tiles({ report }: Run, target: number): Html {
  const { hitRate, requests, savedMs, savedBytes, times, warmUpMs } = report
  const tile = (name: string, value: string, more: string) =>
    html`<div><dt>${name}</dt><dd>${value} <small>${more}</small></dd></div>`
  return html`<dl class="tiles">
${tile('Hit rate', hitRate === null ? '–' : percent(hitRate), measureOf(report, target))}
${tile('Requests', String(requests), countsOf(report))}
${tile('Saved', savedMs === null ? '–' : formatDuration(savedMs), `${formatSize(savedBytes)} of download`)}
${tile('Loading', times.load ? formatDuration(times.load.total) : '–', times.load ? `${count(times.load.count, 'load')}, p95 ${formatDuration(times.load.p95)}` : 'nothing was loaded')}
${tile('Warm-up', warmUpMs === null ? '–' : formatDuration(warmUpMs), 'before the tests')}
</dl>`
}

function notes({ report }: Run, target: number): Html {
  const step = slowStep(report)
  const items = [...warningsOf(report, target), ...(step ? [step] : []), ...failureLines(report.errors)]
  if (items.length === 0) return html``
  return html`<ul class="notes" aria-label="What to look at">${items.map((item) => html`<li>${item}</li>`)}</ul>`
}

function trend(charts: Charts, { runs }: Statistics, target: number): Html {
  return html`<section aria-labelledby="trend">
<h2 id="trend">The last ${count(runs.length, 'run')}</h2>
<div class="pair">
<figure><h3>Hit rate</h3>${charts.hitRates(runs, target)}<figcaption>Dashed: the target of ${percent(target)}.</figcaption></figure>
<figure><h3>Time saved</h3>${charts.savedTimes(runs)}<figcaption>What the downloads took when they were made.</figcaption></figure>
</div>
<details><summary>All of these runs as a table</summary>${runTable(runs)}</details>
</section>`
}

function cache(charts: Charts, { cache, models }: Statistics, now: number): Html {
  const { entries, size, maxSize, diskBytes, maxAgeMs, directory } = cache
  const over = size > maxSize ? ', over the limit' : ''
  const share = `${formatSize(size)} of ${formatSize(maxSize)} in ${count(entries.length, 'model')}${over}`
  const bars =
    entries.length === 0
      ? html`<p>The cache is empty.</p>`
      : html`<div class="pair">
<figure><h3>Size</h3>${charts.sizes(entries)}</figure>
<figure><h3>Last use</h3>${charts.ages(entries, maxAgeMs, now)}<figcaption>Dashed, where it is near: the age at which models go.</figcaption></figure>
</div>`
  // What is near the limit and what is over it has colours of its own.
  const limits = html`min="0" low="${maxSize * 0.9}" high="${maxSize}" max="${Math.max(maxSize, size, 1)}" optimum="0"`
  return html`<section aria-labelledby="cache">
<h2 id="cache">What the cache holds</h2>
<p><label for="fill">${share}, ${formatSize(diskBytes)} on disk</label><br><meter id="fill" ${limits} value="${size}">${share}</meter></p>
<p class="muted place">${directory}</p>
${bars}
${modelTable(entries, models)}
</section>`
}

function timeline(charts: Charts, { timeline }: Run): Html {
  if (timeline.length === 0) return html``
  const legend = STEPS.filter((step) => timeline.some(({ steps }) => steps[step] > 0))
  return html`<section aria-labelledby="timeline">
<h2 id="timeline">Warm-up and loads of the last run</h2>
<ul class="legend">${legend.map((step) => html`<li><span class="${step}"></span>${step}</li>`)}</ul>
<figure>${charts.timeline(timeline)}<figcaption>Time since the first of them. Only what took a while is shown; what a worker had in memory already is left out.</figcaption></figure>
<details><summary>These requests as a table</summary>${spanTable(timeline)}</details>
</section>`
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}
