import { relative } from 'node:path'
import type { TestModule } from 'vitest/node'
import type { ModelCache } from '../cache/model-cache.ts'
import { messageOf } from '../model/errors.ts'
import type { FileReport } from '../model/request.ts'
import { originals, sleep } from '../platform/originals.ts'
import { makeReport, type Report } from '../report/report.ts'
import { renderText } from '../report/text.ts'
import { readFileReport } from './channel.ts'
import { eventsFolder, takeChildEvents } from './child-events.ts'
import { optionsByHand, type ProjectSetup, type Session, setUpProject } from './session.ts'

// Maintenance is never in the way of the tests: what is not done by then, the next run does.
const MAINTAIN_WITHIN_MS = 5_000

/** What one test file asked for. */
interface ModuleReport extends FileReport {
  testFile: string
  /** The root folder of its project. */
  root: string
  setup: ProjectSetup
}

/**
 * Ends one run of tests: folds what the workers asked for into the metadata, keeps the run's record, removes what is
 * beyond the limits, and shows the report. `number` tells the runs of a watch session apart.
 */
export async function finishRun(session: Session, modules: ReadonlyArray<TestModule>, number: number): Promise<void> {
  const reports = modules.flatMap((module) => moduleReport(session, module))
  for (const [project, setup] of session.projects) reports.push(...lateReports(session, project.config.root, setup))
  const { warmed, warmUpMs, output } = session
  session.warmed = []
  session.warmUpMs = null
  const [first] = session.projects.values()
  if (!first) return
  const caches = [...new Set([...session.projects.values()].map(({ cache }) => cache))]
  const wasUsed = reports.some(({ requests }) => requests.length > 0) || warmed.length > 0
  const writable: ModelCache[] = []
  for (const cache of caches) if (await cache.isWritable()) writable.push(cache)
  // A cache that can't be written to is no reason to show nothing.
  const note = (error: unknown) => output.note(`The run could not be recorded: ${messageOf(error)}`)
  const maintenance = wasUsed ? await foldIn(writable, reports, !session.isWatching).catch(note) : undefined
  const { takenAt: _, ...cache } = await first.cache.statistics()
  const requests = reports.flatMap(({ requests }) => requests)
  const report = makeReport({ requests, errors: reports.flatMap(({ errors }) => errors), warmed, warmUpMs, cache })
  if (wasUsed) await recordRuns(session, writable, reports, report, number).catch(note)
  const { report: settings } = first.options
  if (settings === false) return
  const { color, columns } = output
  const lines = renderText(report, { color, columns, target: settings.target, ...maintenance })
  if (lines.length > 0) output.print(lines.join('\n'))
  if (settings.outputFile) {
    const { outputJson } = await import('fs-extra/esm')
    await outputJson(settings.outputFile, report, { spaces: 2 })
  }
}

function moduleReport(session: Session, module: TestModule): ModuleReport[] {
  const { project } = module
  // Reports that were made elsewhere are merged without a global setup.
  const setup = session.projects.get(project) ?? setUpProject(session, project, optionsByHand(project.config))
  const report = readFileReport(module.meta())
  const { root } = project.config
  return report ? [{ ...report, root, testFile: relative(root, module.moduleId), setup }] : []
}

/** What the processes asked for that the tests of a project started, and its browsers when a test file was over. */
function lateReports({ runId }: Session, root: string, setup: ProjectSetup): ModuleReport[] {
  const events = [...takeChildEvents(eventsFolder(setup.options.cacheDir, runId)), ...(setup.browser?.drainAll() ?? [])]
  return events.map(({ testFile, ...report }) => ({ ...report, testFile: relative(root, testFile), root, setup }))
}

async function foldIn(caches: ModelCache[], reports: ModuleReport[], isOver: boolean) {
  const started = originals.monotonic()
  let removed = 0
  for (const cache of caches) {
    const requests = reports.flatMap(({ setup, requests }) => (setup.cache === cache ? requests : []))
    const work = cache.recordUses(requests).then(() => cache.maintain({ isOver }))
    removed += (await inTime(work))?.entries.length ?? 0
  }
  return { maintenanceMs: originals.monotonic() - started, removed }
}

/** What the work gives; undefined when that takes too long: then the next run does the rest. */
async function inTime<T>(work: Promise<T>): Promise<T | undefined> {
  const bound = new originals.AbortController()
  const late = sleep(MAINTAIN_WITHIN_MS, bound.signal).catch(() => undefined)
  try {
    return (await Promise.race([work, late])) ?? undefined
  } finally {
    bound.abort()
  }
}

/** One record for each project: its next run warms what it used. */
async function recordRuns(
  session: Session,
  writable: ModelCache[],
  reports: ModuleReport[],
  report: Report,
  number: number,
): Promise<void> {
  const projects = new Map(reports.map(({ root, setup }) => [root, setup]))
  for (const [index, [project, { cache }]] of [...projects].entries()) {
    if (!writable.includes(cache)) continue
    const used = usedModels(reports.filter(({ root }) => root === project))
    const id = `${session.runId}-${number}-${index}`
    await cache.recordRun({ schemaVersion: 1, id, startedAt: session.startedAt, project, used, report })
  }
}

/** Each model selection with the test files that asked for it. */
function usedModels(reports: ModuleReport[]) {
  const used = new Map<string, ReturnType<typeof newUse>>()
  for (const { requests, testFile } of reports)
    for (const request of requests) {
      const key = `${request.repo}@${request.revision} ${request.selection}`
      const use = used.get(key) ?? newUse(request)
      if (!use.testFiles.includes(testFile)) use.testFiles.push(testFile)
      used.set(key, use)
    }
  return [...used.values()]
}

function newUse({ repo, revision, commit, selection }: FileReport['requests'][number]) {
  const testFiles: string[] = []
  return { repo, revision, commit, selection, testFiles }
}
