import { formatDuration, formatSize } from '../config/units.ts'
import { visible } from '../model/printable.ts'
import { TIERS } from '../model/tier.ts'
import { failureLines } from './failures.ts'
import { part } from './lines.ts'
import { slowStep } from './slow-step.ts'
import { summaryOf } from './summary.ts'
import type { ModelReport, Report } from './types.ts'
import { warningsOf } from './warnings.ts'
import { count, labelOf, loadOf } from './words.ts'

// GitHub accepts one megabyte of summary for a step. The report is one part of it.
const MODELS_SHOWN = 50
const ERRORS_SHOWN = 20
const LONGEST_ERROR = 1_000

/** The report as Markdown, for GitHub's summary of a job. */
export function renderMarkdown(report: Report, { target, unused = [] }: { target: number; unused?: string[] }): string {
  const { models, errors, cache } = report
  const step = slowStep(report)
  const blocks = [
    '### Model cache',
    bold(summaryOf(report, target)),
    models.length > 0 ? modelTable(models.slice(0, MODELS_SHOWN)) : '',
    more(models.length - MODELS_SHOWN, 'model'),
    list([
      ...saved(report),
      ...(step ? [step] : []),
      ...(cache
        ? [`cache ${formatSize(cache.size)} of ${formatSize(cache.maxSize)} in ${count(cache.entries, 'model')}`]
        : []),
      ...removed(report),
    ]),
    list([...warningsOf(report, target), ...unused], '⚠️ '),
    list(
      failureLines(errors.slice(0, ERRORS_SHOWN)).map((text) => part(text, 0, LONGEST_ERROR)),
      '❌ ',
    ),
    more(errors.length - ERRORS_SHOWN, 'error'),
  ]
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`
}

function modelTable(models: ModelReport[]): string {
  const rows = models.map((model) => [
    labelOf(model),
    TIERS.flatMap((tier) => (model.tiers[tier] ? `${tier} ×${model.tiers[tier]}` : [])).join(' '),
    formatSize(model.bytes),
    ...[model.lookupMs, model.downloadMs].map((ms) => (ms === null ? '' : formatDuration(ms))),
    loadOf(model),
  ])
  return [
    '| Model | Served from | Size | Lookup | Download | Load |',
    '| :-- | :-- | --: | --: | --: | --: |',
    ...rows.map((row) => `| ${row.map(escapeMarkdown).join(' | ')} |`),
  ].join('\n')
}

function saved({ savedMs, savedBytes, restoredBytes, unpackedBytes, warmUpMs }: Report): string[] {
  const what = [
    ...(savedMs === null ? [] : [formatDuration(savedMs)]),
    ...(savedBytes > 0 ? [formatSize(savedBytes)] : []),
  ]
  return [
    ...(what.length > 0 ? [`saved ${what.join(' and ')} of download`] : []),
    ...(restoredBytes > 0 ? [`took ${formatSize(restoredBytes)} from the remote`] : []),
    ...(unpackedBytes > 0 ? [`restored ${formatSize(unpackedBytes)} that were packed`] : []),
    ...(warmUpMs === null ? [] : [`warm-up ${formatDuration(warmUpMs)}`]),
  ]
}

function removed({ evicted, expired, freedBytes }: Report): string[] {
  const models = [...evicted, ...expired]
  return models.length === 0 ? [] : [`removed ${models.join(', ')} (${formatSize(freedBytes)})`]
}

function list(items: string[], mark = ''): string {
  return items.map((item) => `- ${mark}${escapeMarkdown(item)}`).join('\n')
}

function more(number: number, what: string): string {
  return number > 0 ? `… and ${count(number, `more ${what}`)}` : ''
}

function bold(text: string): string {
  return `**${escapeMarkdown(text)}**`
}

/** Escapes a text, so that none of it becomes markup, a link, HTML or the end of a cell. */
export function escapeMarkdown(text: string): string {
  return visible(text.replace(/\s+/g, ' '))
    .trim()
    .replace(/[\\`*_[\]<>#|~$&@]|:(?=\/\/|[\w+-]+:)/g, '\\$&')
    .replace(/www\./gi, (match) => `${match.slice(0, 3)}\\.`)
}
