import { writeFile } from 'node:fs/promises'
import { relative } from 'node:path'
import process from 'node:process'
import type { Options } from '../config/options.ts'
import { renderText } from '../report/text.ts'
import type { Run } from '../report/types.ts'
import { shortDate } from '../report/words.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { printJson } from './show/json.ts'
import { printLines, printNotes } from './show/print.ts'
import { columnsOf, isColored } from './show/style.ts'
import { gatherStatistics, readRuns } from './statistics.ts'

export interface ReportOptions extends GlobalOptions {
  markdown?: boolean
  /** The file to write. */
  html?: string
  all?: boolean
}

/** The number of runs in the page. */
const RUNS_IN_PAGE = 100
const DEFAULT_TARGET = 0.8

/** Prints the report of the last run. Without a recorded run it says so, and a document that was asked for makes the exit code 1. */
export async function report({ markdown, html, all, ...global }: ReportOptions): Promise<number> {
  const { json } = global
  if ([json, markdown, html].filter(Boolean).length > 1) {
    printNotes('Use only one of --json, --markdown and --html.')
    return 2
  }
  const { cache, options } = await openCache(global, { needsOptions: !json })
  const runs = await readRuns(cache, html === undefined ? 1 : RUNS_IN_PAGE, all)
  const [last] = runs
  if (!last) {
    printNotes(
      'No run has been recorded yet for this folder. Run the tests once, or use --all for the runs of all projects.',
    )
    return json || markdown || html !== undefined ? 1 : 0
  }
  if (html !== undefined) {
    const { renderPage } = await import('../report/html/page.ts')
    await writeFile(html, await renderPage(await gatherStatistics(cache, options, runs), last, targetOf(options)))
    printLines(`Wrote ${html}`)
  } else if (json) printJson(last.report)
  else if (markdown) {
    const { renderMarkdown } = await import('../report/markdown.ts')
    process.stdout.write(renderMarkdown(last.report, { target: targetOf(options) }))
  } else printLines(textOf(last, options))
  return 0
}

function textOf(run: Run, options: Options): string {
  const lines = renderText(run.report, { color: isColored(), columns: columnsOf() ?? 80, target: targetOf(options) })
  // A run of several projects has a record for each project.
  const where = relative(process.cwd(), run.project)
  const project = where === '' ? '' : ` in ${where.startsWith('..') ? run.project : where}`
  return [` Run of ${shortDate(run.startedAt)} (UTC)${project}`, ...lines.slice(1)].join('\n').trimEnd()
}

function targetOf({ report }: Options): number {
  return report === false ? DEFAULT_TARGET : report.target
}
