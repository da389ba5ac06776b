import { formatAge, formatDuration, formatSize } from '../config/units.ts'
import { printableAll, withoutCommands } from '../model/printable.ts'
import { TIERS } from '../model/tier.ts'
import { joinParts } from './lines.ts'
import type { ModelUse, RunSummary, Statistics } from './statistics.ts'
import { type Row, tableWithNames } from './table-with-names.ts'
import { count, percent, shortDate } from './words.ts'

const DEFAULT_COLUMNS = 80
const MODELS_SHOWN = 15

interface StatisticsOptions {
  /** Milliseconds since the epoch. */
  now: number
  /** The width of the terminal; without one, 80. */
  columns?: number
}

/** The statistics for people, as lines that fit the terminal. Only a path that is longer makes a longer line. */
export function renderStatistics(
  computed: Statistics,
  { now, columns = DEFAULT_COLUMNS }: StatisticsOptions,
): string[] {
  const statistics = printableAll(computed)
  const { runs, totals, models } = statistics
  const lines = [
    ...(runs.length === 0 ? ['No run has been recorded yet: run the tests once.', ''] : runTable(runs, columns)),
    ...(runs.length === 0 ? [] : totalLines(totals, columns)),
    ...modelTable(models, now, columns),
    ...cacheLines(statistics, now, columns),
  ]
  return lines.map((line) => withoutCommands(line).trimEnd())
}

function runTable(runs: RunSummary[], columns: number): string[] {
  const hasSeveralProjects = new Set(runs.map(({ project }) => project)).size > 1
  const rows = runs.map(
    (run): Row => [
      shortDate(run.startedAt),
      run.hitRate === null ? '-' : percent(run.hitRate),
      String(run.requests),
      run.savedMs === null ? '-' : formatDuration(run.savedMs),
      run.downloadedBytes === 0 ? '-' : formatSize(run.downloadedBytes),
      run.slowest ? `${run.slowest.step} ${formatDuration(run.slowest.ms)} ${run.slowest.model}` : '',
    ],
  )
  const head: Row = ['run (UTC)', 'hits', 'requests', 'saved', 'download', 'slowest']
  const project = (index: number) => (hasSeveralProjects && index > 0 ? [`    ${runs[index - 1]?.project}`] : [])
  return [...tableWithNames(head, rows, columns).flatMap((lines, index) => [...lines, ...project(index)]), '']
}

function totalLines(totals: Statistics['totals'], columns: number): string[] {
  const { runs, requests, hitRate, tiers, savedMs, savedBytes, evicted, expired, repaired } = totals
  const served = TIERS.flatMap((tier) => (tiers[tier] ? `${tier} ×${tiers[tier]}` : []))
  const errors = Object.entries(totals.errorCounts).map(([code, number]) => `${code} ×${number}`)
  const parts = [
    `${count(runs, 'run')}, ${count(requests, 'request')}${hitRate === null ? '' : `, hit rate ${percent(hitRate)}`}`,
    ...(served.length > 0 ? [served.join(' ')] : []),
    `saved ${formatDuration(savedMs)} and ${formatSize(savedBytes)}`,
    `downloaded ${formatSize(totals.downloadedBytes)}`,
    ...(totals.restoredBytes > 0 ? [`took ${formatSize(totals.restoredBytes)} from the remote`] : []),
    ...(totals.unpackedBytes > 0 ? [`restored ${formatSize(totals.unpackedBytes)}`] : []),
    ...(evicted + expired > 0 ? [`removed ${count(evicted + expired, 'model')}`] : []),
    ...(repaired > 0 ? [`repaired ${count(repaired, 'file')}`] : []),
    ...(errors.length > 0 ? [`failed: ${errors.join(', ')}`] : []),
  ]
  const times = (['lookup', 'restore', 'download', 'load'] as const).flatMap((step) => {
    const spread = totals.times[step]
    if (!spread) return []
    const { p50, p95, max } = spread
    return `${step} ${[p50, p95, max].map(formatDuration).join(' / ')}`
  })
  const [first, ...others] = times
  const spread = first === undefined ? [] : joinParts([`per run (p50 / p95 / max): ${first}`, ...others], columns)
  return [...joinParts(parts, columns), ...spread, '']
}

function modelTable(models: ModelUse[], now: number, columns: number): string[] {
  if (models.length === 0) return []
  const rows = models
    .slice(0, MODELS_SHOWN)
    .map(
      (use): Row => [
        use.model,
        use.usesPerWeek < 9.95 ? use.usesPerWeek.toFixed(1) : String(Math.round(use.usesPerWeek)),
        `${formatAge(now - Date.parse(use.lastUsedAt))} ago`,
        formatSize(use.bytes),
        use.loadMs === null ? '-' : formatDuration(use.loadMs),
        use.lastTestFile ?? '-',
      ],
    )
  const head: Row = ['model', 'per week', 'last used', 'size', 'load', 'last test file']
  const more = models.length - MODELS_SHOWN
  const lines = tableWithNames(head, rows, columns).flat()
  return [...lines, ...(more > 0 ? [`… and ${count(more, 'more model')}`] : []), '']
}

function cacheLines({ cache }: Statistics, now: number, columns: number): string[] {
  const { entries, size, maxSize, diskBytes, downloadedSize, freeBytes } = cache
  const ages = entries.map(({ cachedAt }) => now - Date.parse(cachedAt))
  const unused = entries.map(({ lastUsedAt }) => now - Date.parse(lastUsedAt))
  const withoutSharing = downloadedSize > diskBytes ? ` (${formatSize(downloadedSize)} without sharing)` : ''
  const parts = [
    `cache ${formatSize(size)} of ${formatSize(maxSize)} in ${count(entries.length, 'model')}`,
    ...(diskBytes > 0 ? [`${formatSize(diskBytes)} on disk${withoutSharing}`] : []),
    ...(entries.length > 0
      ? [
          `oldest ${formatAge(Math.max(...ages))}`,
          `newest ${formatAge(Math.min(...ages))}`,
          `longest unused ${formatAge(Math.max(...unused))}`,
        ]
      : []),
    ...(freeBytes === null ? [] : [`${formatSize(freeBytes)} free`]),
  ]
  return [...joinParts(parts, columns), cache.directory]
}
