import { styleText } from 'node:util'
import { formatDuration, formatSize } from '../config/units.ts'
import { TIERS } from '../model/tier.ts'
import type { ModelReport, Report } from './report.ts'

export interface TextOptions {
  /** Colour by ANSI codes. */
  color: boolean
  /** No line is longer. */
  columns: number
  /** The hit rate to reach, 0 to 1. */
  target: number
  /** Milliseconds that maintenance took, when it ran. */
  maintenanceMs?: number
  /** A name for the models that were removed. */
  removed?: number
}

type Style = Parameters<typeof styleText>[0]

/** The report for people, as whole lines. Empty when no model was asked for. */
export function renderText(report: Report, options: TextOptions): string[] {
  if (report.requests === 0 && report.errors.length === 0) return []
  const paint = (style: Style, text: string) =>
    options.color ? styleText(style, text, { validateStream: false }) : text
  const columns = Math.min(options.columns, 120)
  const isShort = report.hitRate !== null && report.hitRate < options.target
  const lines = (style: Style, texts: string[]) => texts.map((text) => paint(style, truncate(`  ${text}`, columns)))
  return [
    '',
    paint('bold', ' Model cache'),
    ...lines(isShort ? 'yellow' : 'green', [summaryLine(report, options.target)]),
    ...lines('reset', modelLines(report.models)),
    ...lines('dim', footLines(report, options)),
    ...report.models.flatMap((model) => (repairs(model) ? lines('yellow', wrap(repairs(model), columns - 2)) : [])),
    ...report.errors.flatMap(({ message }) => lines('red', wrap(`✗ ${message}`, columns - 2))),
    '',
  ]
}

function summaryLine({ requests, hits, misses, hitRate }: Report, target: number): string {
  if (hitRate === null) return 'no request was served'
  const rate = `hit rate ${percent(hitRate)} (target ${percent(target)})`
  return `${count(requests, 'request')}: ${count(hits, 'hit')}, ${count(misses, 'miss', 'misses')} · ${rate}`
}

function modelLines(models: ModelReport[]): string[] {
  const rows = models.map((model) => [
    model.revision === 'main' ? model.repo : `${model.repo}@${model.revision}`,
    TIERS.flatMap((tier) => (model.tiers[tier] ? `${tier} ×${model.tiers[tier]}` : [])).join(' '),
    formatSize(model.bytes),
    [
      ...(model.lookupMs === null ? [] : [`lookup ${formatDuration(model.lookupMs)}`]),
      ...(model.downloadMs === null ? [] : [`download ${formatDuration(model.downloadMs)}${rate(model)}`]),
      ...(model.restoreMs === null ? [] : [`restore ${formatDuration(model.restoreMs)}`]),
      ...(model.loadMs === null ? [] : [`load ${formatDuration(model.loadMs)}`]),
    ].join(' · '),
  ])
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map(([name = '', tiers = '', size = '', times = '']) =>
    [name.padEnd(widths[0] ?? 0), tiers.padEnd(widths[1] ?? 0), size.padStart(widths[2] ?? 0), times]
      .join('  ')
      .trimEnd(),
  )
}

function footLines(
  { warmUpMs, savedMs, savedBytes, models, cache }: Report,
  { maintenanceMs, removed }: TextOptions,
): string[] {
  const saved = [
    ...(savedMs === null ? [] : [formatDuration(savedMs)]),
    ...(savedBytes ? [formatSize(savedBytes)] : []),
  ]
  const adoptedBytes = models.reduce((sum, model) => sum + model.adoptedBytes, 0)
  const steps = [
    ...(saved.length > 0 ? [`saved ${saved.join(' and ')} of download`] : []),
    ...(adoptedBytes > 0 ? [`took ${formatSize(adoptedBytes)} from your Hugging Face cache`] : []),
    ...(warmUpMs === null ? [] : [`warm-up ${formatDuration(warmUpMs)}`]),
    ...(maintenanceMs === undefined ? [] : [`maintenance ${formatDuration(maintenanceMs)}`]),
    ...(removed ? [`removed ${count(removed, 'model')}`] : []),
  ]
  const state = cache && [
    `cache ${formatSize(cache.size)} of ${formatSize(cache.maxSize)} in ${count(cache.entries, 'model')}`,
    cache.directory,
  ]
  return [...(steps.length > 0 ? [steps.join(' · ')] : []), ...(state ? [state.join(' · ')] : [])]
}

/** Empty where nothing was repaired. */
function repairs({ repo, repaired }: ModelReport): string {
  if (repaired.length === 0) return ''
  const [first, ...others] = repaired
  const files = others.length > 0 ? `${first} and ${count(others.length, 'more file')}` : first
  return `⚠ ${repo}: ${files} had changed in the cache, and ${others.length > 0 ? 'were' : 'was'} repaired`
}

/** ` (63 MB/s)` */
function rate({ downloadedBytes, downloadMs }: ModelReport): string {
  return downloadMs === null || downloadMs === 0 ? '' : ` (${formatSize((downloadedBytes / downloadMs) * 1000)}/s)`
}

function percent(share: number): string {
  // 99.6 % is not yet 100 %.
  return `${share < 1 ? Math.min(99, Math.round(share * 100)) : 100}%`
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}

/** Breaks at spaces, and indents what follows. An error is never cut: it says what to do at its end. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/).flatMap((word) => pieces(word, columns - 2))) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = '  '
    }
    line += line.trim() === '' ? word : ` ${word}`
  }
  return [...lines, line]
}

/** A URL may be longer than a line. */
function pieces(word: string, length: number): string[] {
  return word.match(new RegExp(`.{1,${Math.max(1, length)}}`, 'gu')) ?? []
}

function truncate(line: string, columns: number): string {
  return line.length <= columns ? line : `${line.slice(0, columns - 1)}…`
}
