import { relative } from 'node:path'
import type { TestModule } from 'vitest/node'
import type { ModelCache } from '../cache/model-cache.ts'
import { messageOf } from '../model/errors.ts'
import { modelLabel } from '../model/model.ts'
import { originals, sleep } from '../platform/originals.ts'
import { readFileReport } from './channel.ts'
import { eventsFolder, takeChildEvents } from './child-events.ts'
import { type FinishedRun, type ModuleReport, partOf, reportOf, usedModels } from './finished-run.ts'
import { recordRuns } from './record-runs.ts'
import { optionsByHand, type ProjectSetup, type Session, setUpProject } from './session.ts'
import { showReport } from './show-report.ts'

// Maintenance is never in the way of the tests: what is not done by then, the next run does.
const MAINTAIN_WITHIN_MS = 5_000

/**
 * Ends one run of tests: folds what the workers asked for into the metadata, keeps the run's record, removes what is
 * beyond the limits, and shows the report. `number` tells the runs of a watch session apart.
 */
export async function finishRun(session: Session, modules: ReadonlyArray<TestModule>, number: number): Promise<void> {
  const run = takeRun(session, modules)
  const setups = [...session.projects.values()]
  const caches = [...new Set(setups.map(({ cache }) => cache))]
  const writable: ModelCache[] = []
  for (const cache of caches) if (await cache.isWritable()) writable.push(cache)
  for (const cache of caches) addEvicted(run, cache.context.takeEvicted())
  // A cache that can't be written to is no reason to show nothing.
  const note = (error: unknown) => session.output.note(`The run could not be recorded: ${messageOf(error)}`)
  if (usedModels(run)) {
    await foldIn(writable, run, !session.isWatching).catch(note)
    await recordRuns(`${session.runId}-${number}`, writable, run).catch(note)
  }
  // A project that wants no report is no part of it; its record is what its next run warms.
  const isShown = ({ options }: ProjectSetup) => options.report !== false
  const first = setups.find(isShown)
  if (!first) return
  const shown = partOf(run, ({ setup }) => isShown(setup))
  const settings = setups.flatMap(({ options }) => options.report || [])
  await showReport(session.output, await reportOf(shown, first.cache), settings, run.maintenanceMs)
}

function takeRun(session: Session, modules: ReadonlyArray<TestModule>): FinishedRun {
  const reports = modules.flatMap((module) => moduleReport(session, module))
  for (const [project, setup] of session.projects) reports.push(...lateReports(session, project.config.root, setup))
  const { warmUps, startedAt } = session
  session.warmUps = []
  const durationMs = Math.max(0, originals.now() - Date.parse(startedAt))
  const run = { reports, warmUps, startedAt, durationMs, removals: { evicted: [], expired: [], freedBytes: 0 } }
  for (const { evicted } of reports) addEvicted(run, evicted)
  return run
}

function addEvicted({ removals }: FinishedRun, { models, bytes } = { models: [] as string[], bytes: 0 }): void {
  removals.evicted.push(...models)
  removals.freedBytes += bytes
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

async function foldIn(caches: ModelCache[], run: FinishedRun, isOver: boolean): Promise<void> {
  const started = originals.monotonic()
  for (const cache of caches) {
    const requests = run.reports.flatMap(({ setup, requests }) => (setup.cache === cache ? requests : []))
    const removed = await inTime(cache.recordUses(requests).then(() => cache.maintain({ isOver })))
    if (!removed) continue
    addEvicted(run, { models: removed.evicted.map(modelLabel), bytes: removed.freedBytes })
    run.removals.expired.push(...removed.expired.map(modelLabel))
  }
  run.maintenanceMs = originals.monotonic() - started
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
