import { createHash } from 'node:crypto'
import { originals } from '../../platform/originals.ts'
import type { Statistics } from '../statistics.ts'
import type { Run } from '../types.ts'
import { shortDate } from '../words.ts'
import { cached } from './cached.ts'
import { openCharts } from './charts.ts'
import { enhanceTables } from './enhance-tables.ts'
import { breakable, Html, html } from './html.ts'
import { figures, notes } from './last-run.ts'
import { loads } from './loads.ts'
import { STYLE } from './style.ts'
import { timeline } from './timeline.ts'
import { trend } from './trend.ts'

/** The page of a project: its last run, the runs before it, and what the cache holds. The page needs no network. */
export async function renderPage(statistics: Statistics, last: Run, target: number): Promise<string> {
  const { startedAt, project, report } = last
  const script = `(${enhanceTables})()`
  // The page loads nothing and runs only its own script, even if the markup of a name were not escaped.
  const policy = `default-src 'none'; style-src 'sha256-${digest(STYLE)}'; script-src 'sha256-${digest(script)}'; base-uri 'none'; form-action 'none'`
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Model cache: run of ${shortDate(startedAt)}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<h1>Model cache</h1>
<p class="muted">Run of ${shortDate(startedAt)} (UTC) in <span class="path">${breakable(project)}</span></p>
<p>How the last test run got its models: from the cache (a hit) or by a download (a miss).</p>
${figures(report, target)}
${notes(report, target)}
${loads(report)}
${trend(await openCharts(), statistics.runs, target)}
${timeline(last.timeline)}
${cached(statistics, originals.now())}
</main>
<script>${new Html(script)}</script>
</body>
</html>
`
  return page.text
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}
