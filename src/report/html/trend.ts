import type { RunSummary } from '../statistics.ts'
import { percent } from '../words.ts'
import type { Charts } from './charts.ts'
import { type Html, html } from './html.ts'
import { runTable } from './tables.ts'

/** How hit rate and time saved went from run to run. `runs` are newest first. */
export function trend(charts: Charts, runs: RunSummary[], target: number): Html {
  const isOne = runs.length === 1
  return html`<section aria-labelledby="trend">
<h2 id="trend">${isOne ? 'One run so far' : `The last ${runs.length} runs`}</h2>
${
  isOne
    ? html`<p>After the next run, two charts here compare hit rate and time saved.</p>`
    : html`<p>Each mark is one run, the newest on the right. The labels below are start times in UTC.</p>
<div class="pair">${hitRates(charts, runs, target)}${savedTimes(charts, runs)}</div>`
}
<details><summary>${isOne ? 'This run as a table' : 'These runs as a table'}</summary>${runTable(runs)}</details>
</section>`
}

function hitRates(charts: Charts, runs: RunSummary[], target: number): Html {
  const chart = runs.some(({ hitRate }) => hitRate !== null)
    ? html`${charts.hitRates(runs, target)}<figcaption>The share of requests that the cache served. Dashed line: the target of ${percent(target)}.</figcaption>`
    : html`<p>None of these runs requested a model.</p>`
  return html`<figure><h3>Hit rate</h3>${chart}</figure>`
}

function savedTimes(charts: Charts, runs: RunSummary[]): Html {
  const chart = runs.some(({ savedMs }) => savedMs !== null && savedMs > 0)
    ? html`${charts.savedTimes(runs)}<figcaption>The time that the downloads took when they were made. A run without a bar saved no time.</figcaption>`
    : html`<p>None of these runs could use an earlier download.</p>`
  return html`<figure><h3>Time saved</h3>${chart}</figure>`
}
