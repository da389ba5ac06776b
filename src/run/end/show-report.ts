import { chmodSync, lstatSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import { replaceFile } from '../../cache/store/atomic-write.ts'
import type { Options } from '../../config/options.ts'
import { messageOf } from '../../model/errors.ts'
import { printableJson } from '../../model/printable.ts'
import type { Report } from '../../report/report.ts'
import { renderText } from '../../report/text.ts'
import type { Output } from '../output.ts'
import type { FinishedRun } from './finished-run.ts'

type Settings = Exclude<Options['report'], false>

/** Parts of the shown report that its JSON does not have. */
interface Shown extends Pick<FinishedRun, 'maintenanceMs'> {
  testErrors?: string[]
  /** Lines about declared models that were downloaded and not used. */
  unused?: string[]
}

/**
 * Prints the report of a run, and writes it to the `outputFile` of each project. In GitHub Actions also writes the summary of
 * the job, unless a project has `summary: false`. If projects have different targets, the highest is used.
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
  const text = `${printableJson(report)}\n`
  if (isReplaced(file, text)) return
  const { outputFile } = await import('fs-extra/esm')
  await outputFile(file, text)
}

/**
 * Replaces a file at once, so that nobody reads half of it. False if that is not possible: a link or a device keeps its place, and so does
 * a file that is mounted or in a read-only folder.
 */
function isReplaced(file: string, text: string): boolean {
  try {
    const before = lstatSync(file, { throwIfNoEntry: false })
    if (before?.isFile() === false) return false
    mkdirSync(dirname(file), { recursive: true })
    replaceFile(file, dirname(file), (temporary) => {
      writeFileSync(temporary, text)
      if (before) chmodSync(temporary, before.mode)
    })
    return true
  } catch {
    return false
  }
}

/** Writes the summary of the job, and an annotation for each warning. */
async function tellGitHub(output: Output, report: Report, target: number, unused: string[]): Promise<void> {
  const { GITHUB_ACTIONS, GITHUB_STEP_SUMMARY } = process.env
  if (GITHUB_ACTIONS) {
    const [{ annotation }, { warningsOf }] = await Promise.all([
      import('../../report/github.ts'),
      import('../../report/warnings.ts'),
    ])
    // `print` may write to stderr: GitHub reads its commands there too.
    for (const warning of warningsOf(report, target)) output.print(annotation(warning))
  }
  if (GITHUB_STEP_SUMMARY) {
    const [{ appendFile }, { renderMarkdown }] = await Promise.all([
      import('node:fs/promises'),
      import('../../report/markdown.ts'),
    ])
    await appendFile(GITHUB_STEP_SUMMARY, `\n${renderMarkdown(report, { target, unused })}`)
  }
}
