import { styleText } from 'node:util'
import { formatDuration, formatSize } from '../config/units.ts'
import { printableAll, withoutCommands } from '../model/printable.ts'
import { TIERS } from '../model/tier.ts'
import { failureLines } from './failures.ts'
import { indented, joinParts, table, unbroken, wrap } from './lines.ts'
import { predictionLines } from './prediction.ts'
import { prefetchLines } from './prefetch.ts'
import { slowStep } from './slow-step.ts'
import { isBelow, summaryOf } from './summary.ts'
import type { ModelReport, Report } from './types.ts'
import { count, labelOf, loadOf } from './words.ts'

export interface TextOptions {
  /** Colour by ANSI codes. */
  color: boolean
  /** The width of the terminal. Only a name, a path or a URL that is longer makes a longer line. */
  columns: number
  /** The hit rate to reach, 0 to 1. */
  target: number
  /** Milliseconds that maintenance took, when it ran. */
  maintenanceMs?: number
  /** How many models were removed. */
  removed?: number
  /** One line for each declared model with files that were downloaded and not used. */
  unused?: string[]
  /** True for an error that the output of a test shows in full: the report names it and does not repeat it. */
  isTold?: (error: Report['errors'][number]) => boolean
}

type Style = Parameters<typeof styleText>[0]

const WIDEST = 120
const INDENT = '  '

/** The report for people, as whole lines. Empty when no model was asked for, but for a run in unit mode. */
export function renderText(computed: Report, options: TextOptions): string[] {
  const report = printableAll(computed)
  const isEmpty = report.requests === 0 && report.errors.length === 0 && !report.prefetch?.unfinished.length
  if (isEmpty && report.mode !== 'unit') return []
  const paint = (style: Style, text: string) =>
    options.color ? styleText(style, text, { validateStream: false }) : text
  const columns = Math.min(options.columns, WIDEST) - INDENT.length
  const lines = (style: Style, texts: string[]) =>
    indented(texts, INDENT).map((text) => paint(style, withoutCommands(text)))
  const marked = (style: Style, mark: string, texts: string[]) =>
    lines(
      style,
      texts.flatMap((text) => bullet(mark, unbroken(text, pathsOf(report)), columns)),
    )
  const isShort = report.failed > 0 || (isBelow(report, options.target) && !report.isFirstRun)
  return [
    '',
    paint('bold', ' Model cache'),
    ...lines(isShort ? 'yellow' : 'green', joinParts(summaryOf(report, options.target).split(' · '), columns)),
    ...lines('reset', modelLines(report.models, columns)),
    ...marked('yellow', '→', [slowStep(report) ?? []].flat()),
    ...marked('dim', '→', predictionLines(report)),
    ...marked('dim', '→', prefetchLines(report)),
    ...lines('dim', footLines(report, options, columns)),
    ...marked('yellow', '⚠', report.models.flatMap(repairs)),
    ...marked('yellow', '⚠', printableAll(options.unused ?? [])),
    ...marked('red', '✗', failureLines(report.errors, options.isTold)),
    '',
  ]
}

/** The paths that texts of the report may hold. */
function pathsOf({ cache, errors }: Report): string[] {
  return [...(cache ? [cache.directory] : []), ...errors.flatMap(({ testFiles }) => testFiles)]
}

/** The lines of a text, with a mark before the first. */
function bullet(mark: string, text: string, columns: number): string[] {
  const [first = '', ...others] = wrap(text, columns - 2, '')
  return [`${mark} ${first}`, ...indented(others, '  ')]
}

function modelLines(models: ModelReport[], columns: number): string[] {
  const rows = models.map(
    (model) =>
      [
        labelOf(model),
        TIERS.flatMap((tier) => (model.tiers[tier] ? `${tier} ×${model.tiers[tier]}` : [])).join(' '),
        formatSize(model.bytes),
        [
          ...(model.lookupMs === null ? [] : [`lookup ${formatDuration(model.lookupMs)}`]),
          ...(model.downloadMs === null
            ? []
            : [`download ${formatDuration(model.downloadMs)}${rate(model.downloadedBytes, model.downloadMs)}`]),
          ...(model.restoreMs === null
            ? []
            : [
                `restore ${formatDuration(model.restoreMs)}${rate(model.restoredBytes + model.unpackedBytes, model.restoreMs)}`,
              ]),
          ...(model.loadMs === null ? [] : [`load ${loadOf(model)}`]),
        ],
      ] as const,
  )
  const heads = table(
    rows.map(([name, tiers, size]) => [name, tiers, size]),
    [false, false, true],
  )
  const inOneLine = heads.map((head, index) => [head, rows[index]?.[3].join(' · ') ?? ''].join('  ').trimEnd())
  if (inOneLine.every((line) => line.length <= columns)) return inOneLine
  // On a narrow screen, or with long names, the figures of a model stand below its name.
  return rows.flatMap(([name, tiers, size, times]) => {
    const figures = [tiers, size, ...times].filter((part) => part !== '')
    return [name, ...indented(joinParts(figures, columns - 4, ''), '    ')]
  })
}

function footLines(
  {
    warmUpMs,
    savedMs,
    savedBytes,
    restoredBytes,
    unpackedBytes,
    models,
    cache,
    threads,
    ownMs,
    expectedErrors,
  }: Report,
  { maintenanceMs, removed }: TextOptions,
  columns: number,
): string[] {
  const saved = [
    ...(savedMs === null ? [] : [formatDuration(savedMs)]),
    ...(savedBytes ? [formatSize(savedBytes)] : []),
  ]
  const adoptedBytes = models.reduce((sum, model) => sum + model.adoptedBytes, 0)
  const steps = [
    ...(saved.length > 0 ? [`saved ${saved.join(' and ')} of download`] : []),
    ...(restoredBytes > 0 ? [`took ${formatSize(restoredBytes)} from the remote`] : []),
    ...(unpackedBytes > 0 ? [`restored ${formatSize(unpackedBytes)} that were packed`] : []),
    ...(adoptedBytes > 0 ? [`took ${formatSize(adoptedBytes)} from your Hugging Face cache`] : []),
    ...(warmUpMs === null ? [] : [`warm-up ${formatDuration(warmUpMs)}`]),
    ...(maintenanceMs === undefined ? [] : [`maintenance ${formatDuration(maintenanceMs)}`]),
    ...overhead(ownMs),
    ...(removed ? [`removed ${count(removed, 'model')}`] : []),
    ...expected(expectedErrors),
  ]
  const folder = cache && [
    `cache ${formatSize(cache.size)} of ${formatSize(cache.maxSize)} in ${count(cache.entries, 'model')}`,
    unbroken(cache.directory),
  ]
  const state = [...(folder ?? []), ...(threads === 'shared' ? ['threads shared'] : [])]
  return [...joinParts(steps, columns), ...joinParts(state, columns)]
}

/** `plugin overhead 41 ms, 6.2 ms a worker, 7.4 s in 18 children` */
function overhead({ main, workers, children }: Report['ownMs']): string[] {
  if (main === null) return []
  const ofWorkers = workers ? [`${formatDuration(workers.p50)} a worker`] : []
  const ofChildren = children
    ? [`${formatDuration(children.total)} in ${count(children.count, 'child', 'children')}`]
    : []
  return [[`plugin overhead ${formatDuration(main)}`, ...ofWorkers, ...ofChildren].join(', ')]
}

function expected(errors: number): string[] {
  if (errors === 0) return []
  return [
    errors === 1
      ? '1 failed request was expected by its test'
      : `${errors} failed requests were expected by their tests`,
  ]
}

/** Empty when nothing was repaired. */
function repairs({ repo, repaired }: ModelReport): string[] {
  if (repaired.length === 0) return []
  const [first, ...others] = repaired
  const files = others.length > 0 ? `${first} and ${count(others.length, 'more file')}` : first
  return [`${repo}: ${files} had changed in the cache and ${others.length > 0 ? 'were' : 'was'} repaired`]
}

/** ` (63 MiB/s)` */
function rate(bytes: number, ms: number | null): string {
  return !ms || !bytes ? '' : ` (${formatSize((bytes / ms) * 1000)}/s)`
}
