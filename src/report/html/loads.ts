import type { ModelReport, Report } from '../types.ts'
import { labelOf } from '../words.ts'
import { type Html, html } from './html.ts'
import { durations, numbers, table } from './table.ts'

/** How often each model was loaded in the last run. Empty if none was loaded more than once. */
export function loads({ models }: Report): Html {
  if (models.every(({ loads }) => loads < 2)) return html``
  return html`<section aria-labelledby="loads">
<h2 id="loads">Loads of the last run</h2>
${table<ModelReport>({
  id: 'load-counts',
  caption: 'How often each model was loaded. Loads at the same time in several processes are added up.',
  columns: [
    { name: 'Model', show: labelOf },
    numbers('Loads', ({ loads }) => loads),
    durations('One load', ({ loadMs }) => loadMs ?? 0),
    durations('All loads', ({ loadMsTotal }) => loadMsTotal),
    numbers('Test files', ({ testFiles }) => testFiles.length),
  ],
  rows: models.filter(({ loads }) => loads > 0).sort((a, b) => b.loadMsTotal - a.loadMsTotal),
})}
</section>`
}
