import { formatSize } from '../../config/units.ts'
import type { CachedEntry, ModelUse, RunSummary } from '../statistics.ts'
import type { Span } from '../types.ts'
import { percent } from '../words.ts'
import { type Html, html } from './html.ts'
import { commits } from './same-names.ts'
import { STEPS } from './steps.ts'
import { dates, duration, durations, numbers, sizes, table } from './table.ts'

interface ModelRow {
  model: string
  entry?: CachedEntry
  use?: ModelUse
}

/** All models that are in the cache or that runs used, with a field to filter them. */
export function modelTable(entries: CachedEntry[], uses: ModelUse[]): Html {
  const usesOf = new Map(uses.map((use) => [use.model, use]))
  const cached = new Set(entries.map(({ model }) => model))
  const rows: ModelRow[] = [
    ...entries.map((entry) => ({ model: entry.model, entry, use: usesOf.get(entry.model) })),
    ...uses.filter(({ model }) => !cached.has(model)).map((use) => ({ model: use.model, use })),
  ].sort((a, b) => a.model.localeCompare(b.model))
  const filter = html`<div class="filter"><label for="filter">Filter by any word</label><input id="filter" type="search" data-for="models"><span role="status" data-for="models"></span></div>\n`
  const commit = commits(entries)
  return html`${rows.length > 1 ? filter : ''}${table<ModelRow>({
    id: 'models',
    caption: `Models in the cache, and models that these runs used. Times are UTC.`,
    columns: [
      { name: 'Model', show: ({ model }) => model },
      { name: 'Commit', show: ({ entry }) => (entry && commit(entry)) ?? '', kind: 'word' },
      { name: 'State', show: stateOf, kind: 'word' },
      sizes('Size', ({ entry, use }) => entry?.bytes ?? use?.bytes ?? 0),
      numbers(
        'Requests a week',
        ({ use }) => use?.usesPerWeek ?? 0,
        (value) => value.toFixed(1),
      ),
      durations('Load time', ({ use }) => use?.loadMs ?? 0),
      dates('Last used', ({ entry, use }) => entry?.lastUsedAt ?? use?.lastUsedAt ?? ''),
      dates('Cached since', ({ entry }) => entry?.cachedAt ?? ''),
      { name: 'Last test file', show: ({ use }) => use?.lastTestFile ?? '' },
    ],
    rows,
  })}`
}

export function runTable(runs: RunSummary[]): Html {
  const isOneProject = new Set(runs.map(({ project }) => project)).size === 1
  return table<RunSummary>({
    id: 'runs',
    caption: `Runs, newest first. Times are UTC.`,
    columns: [
      dates('Start', ({ startedAt }) => startedAt, true),
      numbers(
        'Hit rate',
        ({ hitRate }) => hitRate ?? -1,
        (rate) => (rate < 0 ? '' : percent(rate)),
      ),
      numbers('Requests', ({ requests }) => requests),
      numbers('Misses', ({ misses }) => misses),
      numbers('Failed', ({ errors }) => errors),
      durations('Time saved', ({ savedMs }) => savedMs ?? 0),
      sizes('Downloaded', ({ downloadedBytes }) => downloadedBytes),
      durations('Warm-up', ({ warmUpMs }) => warmUpMs ?? 0),
      durations('Whole run', ({ durationMs }) => durationMs ?? 0),
      ...(isOneProject ? [] : [{ name: 'Project', show: ({ project }: RunSummary) => project }]),
    ],
    rows: runs,
  })
}

export function spanTable(spans: Span[]): Html {
  const start = Math.min(...spans.map(({ at }) => at))
  return table<Span>({
    id: 'spans',
    caption: `The same, in order of their start.`,
    columns: [
      { name: 'Model', show: ({ model }) => model },
      { name: 'Requested by', show: ({ testFile }) => testFile ?? 'warm-up' },
      { name: 'Served from', show: ({ tier }) => tier, kind: 'word' },
      numbers('Start', ({ at }) => at - start, duration),
      ...STEPS.map(({ step, name }) => durations<Span>(name, ({ steps }) => steps[step])),
      numbers('Size', ({ bytes }) => bytes, formatSize),
    ],
    rows: spans,
  })
}

function stateOf({ entry }: ModelRow): string {
  if (!entry) return 'not cached'
  return entry.pinned ? 'pinned' : 'cached'
}
