import process from 'node:process'
import type { Options } from '../config/options.ts'
import { messageOf } from '../model/errors.ts'
import { printableJson } from '../model/printable.ts'
import type { Report } from '../report/report.ts'
import { renderText } from '../report/text.ts'
import type { FinishedRun } from './finished-run.ts'
import type { Output } from './output.ts'

type Settings = Exclude<Options['report'], false>

/** What is shown beside the report itself. */
interface Shown extends Pick<FinishedRun, 'maintenanceMs'> {
  testErrors?: string[]
  /** A line for each declared model of which files were downloaded and not used. */
  unused?: string[]
}

/**
 * Shows the report of a run: as lines, in each file that a project names, and in GitHub Actions where every project agrees.
 * Where projects have different targets, the highest counts.
 */
export async function showReport(
  output: Output,
  report: Report,
  settings: Settings[],
  { maintenanceMs, testErrors = [], unused = [] }: Shown = {},
): Promise<void> {
  const { color, columns } = output
  const target = Math.max(...settings.map(({ target }) => target))
  const isTold = ({ code, message }: Report['errors'][number]) =>
    code === 'UNFINISHED' || testErrors.some((text) => text.includes(message))
  const removed = report.evicted.length + report.expired.length
  const lines = renderText(report, { color, columns, target, maintenanceMs, removed, isTold, unused })
  if (lines.length > 0) output.print(lines.join('\n'))
  const note = (error: unknown) => output.note(`The report could not be written: ${messageOf(error)}`)
  for (const file of new Set(settings.flatMap(({ outputFile }) => outputFile ?? [])))
    await writeJson(file, report).catch(note)
  if (lines.length > 0 && settings.every(({ summary }) => summary))
    await tellGitHub(output, report, target, unused).catch(note)
}

async function writeJson(file: string, report: Report): Promise<void> {
  const { outputFile } = await import('fs-extra/esm')
  await outputFile(file, `${printableJson(report)}\n`)
}

/** A summary for the page of the job, and a warning for each thing that somebody should look at. */
async function tellGitHub(output: Output, report: Report, target: number, unused: string[]): Promise<void> {
  const { GITHUB_ACTIONS, GITHUB_STEP_SUMMARY } = process.env
  if (GITHUB_ACTIONS) {
    const [{ annotation }, { warningsOf }] = await Promise.all([
      import('../report/github.ts'),
      import('../report/warnings.ts'),
    ])
    // GitHub reads commands from stderr too, where ours go when another reporter owns stdout.
    for (const warning of warningsOf(report, target)) output.print(annotation(warning))
  }
  if (GITHUB_STEP_SUMMARY) {
    const [{ appendFile }, { renderMarkdown }] = await Promise.all([
      import('node:fs/promises'),
      import('../report/markdown.ts'),
    ])
    await appendFile(GITHUB_STEP_SUMMARY, `\n${renderMarkdown(report, { target, unused })}`)
  }
}
