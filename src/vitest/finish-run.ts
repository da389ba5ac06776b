import { relative } from 'node:path'
import type { TestModule } from 'vitest/node'
import { originals } from '../platform/originals.ts'
import { measured, spent } from '../platform/own-time.ts'
import { readFileReport } from './channel.ts'
import { takeChildEvents } from './child-events.ts'
import { addEvicted, type FinishedRun, type ModuleReport, usedModels } from './finished-run.ts'
import { optionsByHand, type ProjectSetup, type Session, setUpProject } from './session.ts'

/**
 * Ends one run of tests. Where no model was asked for there is nothing to do, and nothing is loaded for it. `number` tells the runs
 * of a watch session apart.
 */
export async function finishRun(session: Session, modules: ReadonlyArray<TestModule>, number: number): Promise<void> {
  const run = measured('collecting', () => takeRun(session, modules))
  if (!usedModels(run) && run.reports.every(({ errors }) => errors.length === 0) && !isWritten(session)) return
  const started = originals.monotonic()
  const { concludeRun } = await import('./conclude-run.ts')
  spent('collecting', started)
  await concludeRun(session, run, number)
}

/** True when somebody reads the report of each run. */
function isWritten({ projects }: Session): boolean {
  return [...projects.values()].some(({ options: { report } }) => report !== false && report.outputFile !== undefined)
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
  const ofChildren = takeChildEvents(setup.options.cacheDir, runId)
  const events = [...ofChildren.map((event) => ({ ...event, isOfChild: true })), ...(setup.browser?.drainAll() ?? [])]
  return events.map(({ testFile, ...report }) => ({ ...report, testFile: relative(root, testFile), root, setup }))
}
