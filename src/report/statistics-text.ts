import { formatAge, formatDuration, formatSize } from '../config/units.ts'
import { printableAll, withoutCommands } from '../model/printable.ts'
import { TIERS } from '../model/tier.ts'
import { fittedTable, joinParts, shorten, truncate, wrap } from './lines.ts'
import type { ModelUse, RunSummary, Statistics } from './statistics.ts'
import { count, percent, shortDate } from './words.ts'

const COLUMNS = 80
const MODELS_SHOWN = 15

/** The statistics for people, as lines of at most 80 columns. */
export function renderStatistics(computed: Statistics, { now }: { now: number }): string[] {
  const statistics = printableAll(computed)
  const { runs, totals, models } = statistics
  const lines = [
    ...(runs.length === 0 ? ['No run has been recorded yet: run the tests once.', ''] : runTable(runs)),
    ...(runs.length === 0 ? [] : totalLines(totals)),
    ...modelTable(models, now),
    ...cacheLines(statistics, now),
  ]
  return lines.map((line) => withoutCommands(truncate(line, COLUMNS)).trimEnd())
}

function runTable(runs: RunSummary[]): string[] {
  const projects = [...new Set(runs.map(({ project }) => project))]
  const rows = runs.map((run) => [
    shortDate(run.startedAt),
    run.hitRate === null ? '-' : percent(run.hitRate),
    String(run.requests),
    run.savedMs === null ? '-' : formatDuration(run.savedMs),
    run.downloadedBytes === 0 ? '-' : formatSize(run.downloadedBytes),
    run.slowest ? `${run.slowest.step} ${formatDuration(run.slowest.ms)} ${run.slowest.model}` : '',
  ])
  const head = ['run (UTC)', 'hits', 'asked', 'saved', 'fetched', 'slowest']
  const lines = fittedTable([head, ...rows], [false, true, true, true, true, false], COLUMNS)
  const withProject = (line: string, index: number) => {
    const run = runs[index - 1]
    return run && projects.length > 1 ? [line, `    ${shorten(run.project, COLUMNS - 4)}`] : [line]
  }
  return [...lines.flatMap(withProject), '']
}

function totalLines(totals: Statistics['totals']): string[] {
  const { runs, requests, hitRate, tiers, savedMs, savedBytes, downloadedBytes, evicted, expired, repaired } = totals
  const served = TIERS.flatMap((tier) => (tiers[tier] ? `${tier} ×${tiers[tier]}` : []))
  const errors = Object.entries(totals.errorCounts).map(([code, number]) => `${code} ×${number}`)
  const parts = [
    `${count(runs, 'run')}, ${count(requests, 'request')}${hitRate === null ? '' : `, hit rate ${percent(hitRate)}`}`,
    ...(served.length > 0 ? [served.join(' ')] : []),
    `saved ${formatDuration(savedMs)} and ${formatSize(savedBytes)}`,
    `downloaded ${formatSize(downloadedBytes)}`,
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
  const spread = times.length > 0 ? joinParts([`a run (p50 / p95 / max): ${times[0]}`, ...times.slice(1)], COLUMNS) : []
  return [...joinParts(parts, COLUMNS), ...spread, '']
}

function modelTable(models: ModelUse[], now: number): string[] {
  if (models.length === 0) return []
  const rows = models
    .slice(0, MODELS_SHOWN)
    .map(({ model, usesPerWeek, lastUsedAt, bytes, loadMs, lastTestFile }) => [
      shorten(model, 28),
      usesPerWeek < 9.95 ? usesPerWeek.toFixed(1) : String(Math.round(usesPerWeek)),
      `${formatAge(now - Date.parse(lastUsedAt))} ago`,
      formatSize(bytes),
      loadMs === null ? '-' : formatDuration(loadMs),
      lastTestFile ?? '-',
    ])
  const head = ['model', 'a week', 'used', 'size', 'load', 'last by']
  const lines = fittedTable([head, ...rows], [false, true, true, true, true, false], COLUMNS)
  const more = models.length - MODELS_SHOWN
  return [...lines, ...(more > 0 ? [`… and ${count(more, 'more model')}`] : []), '']
}

function cacheLines({ cache }: Statistics, now: number): string[] {
  const { entries, size, maxSize, efficiency, diskBytes, freeBytes } = cache
  const ages = entries.map(({ cachedAt }) => now - Date.parse(cachedAt))
  const unused = entries.map(({ lastUsedAt }) => now - Date.parse(lastUsedAt))
  const parts = [
    `cache ${formatSize(size)} of ${formatSize(maxSize)} in ${count(entries.length, 'model')}`,
    ...(efficiency === null
      ? []
      : [`${formatSize(diskBytes)} on disk for ${formatSize(cache.downloadedSize)} as downloaded`]),
    ...(entries.length > 0
      ? [
          `oldest ${formatAge(Math.max(...ages))}`,
          `newest ${formatAge(Math.min(...ages))}`,
          `longest unused ${formatAge(Math.max(...unused))}`,
        ]
      : []),
    ...(freeBytes === null ? [] : [`${formatSize(freeBytes)} free`]),
  ]
  return [...joinParts(parts, COLUMNS), ...wrap(cache.directory, COLUMNS)]
}
