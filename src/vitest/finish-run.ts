import { relative } from 'node:path'
import type { TestModule } from 'vitest/node'
import { messageOf } from '../model/errors.ts'
import type { RequestError } from '../model/request.ts'
import { originals } from '../platform/originals.ts'
import { measured, spent } from '../platform/own-time.ts'
import type { FailedRequest } from '../report/report.ts'
import { takeChildEvents } from '../run/child-events.ts'
import { addEvicted, type FinishedRun, hasNews, type ModuleReport } from '../run/finished-run.ts'
import { optionsByHand, type Session, setUpProject } from '../run/session.ts'
import { readFileReport } from './channel.ts'

/**
 * Ends one run of tests. Where no model was asked for there is nothing to do, and nothing is loaded for it. `number` tells the runs
 * of a watch session apart.
 */
export async function finishRun(session: Session, modules: ReadonlyArray<TestModule>, number: number): Promise<void> {
  const run = measured('collecting', () => takeRun(session, modules))
  if (!hasNews(run) && !isWritten(session)) return
  const started = originals.monotonic()
  const { concludeRun } = await import('../run/conclude-run.ts')
  spent('collecting', started)
  await concludeRun(session, run, number)
}

/** True when somebody reads the report of each run. */
function isWritten({ projects }: Session): boolean {
  return [...projects.values()].some(({ options: { report } }) => report !== false && report.outputFile !== undefined)
}

function takeRun(session: Session, modules: ReadonlyArray<TestModule>): FinishedRun {
  const reports = modules.flatMap((module) => moduleReport(session, module))
  reports.push(...lateReports(session, modules))
  const { warmUps, startedAt } = session
  session.warmUps = []
  const durationMs = Math.max(0, originals.now() - Date.parse(startedAt))
  const testErrors = reports.some(({ errors }) => errors.length > 0) ? modules.flatMap(errorsOf) : []
  const run = {
    reports,
    warmUps,
    testErrors,
    startedAt,
    durationMs,
    removals: { evicted: [], expired: [], freedBytes: 0 },
  }
  for (const { evicted } of reports) addEvicted(run, evicted)
  return run
}

/** What the runner shows of a test file: the messages of all errors, and of what they were caused by. */
function errorsOf(module: TestModule): string[] {
  const suites = [...module.children.allSuites()]
  const tests = [...module.children.allTests('failed')]
  const errors = [module, ...suites].flatMap((of) => of.errors())
  return [...errors, ...tests.flatMap((test) => test.result().errors ?? [])].flatMap(messagesOf)
}

function messagesOf(error: { message: string; cause?: unknown }): string[] {
  const { message, cause } = error
  return [
    message,
    ...(typeof cause === 'object' && cause !== null
      ? messagesOf({ message: messageOf(cause), cause: Reflect.get(cause, 'cause') })
      : []),
  ]
}

function moduleReport(session: Session, module: TestModule): ModuleReport[] {
  const { project } = module
  // Reports that were made elsewhere are merged without a global setup.
  const setup = session.projects.get(project) ?? setUpProject(session, project, optionsByHand(project.config))
  const report = readFileReport(module.meta())
  const { root } = project.config
  if (!report) return []
  const errors = failedRequests(report.errors, module)
  return [{ ...report, errors, root, testFile: relative(root, module.moduleId), setup }]
}

/**
 * What the processes asked for that tests started, and browsers when a test file was over. Projects with one cache share the folder
 * in which children leave it: the test file says whose it is.
 */
function lateReports({ projects }: Session, modules: ReadonlyArray<TestModule>): ModuleReport[] {
  return [...projects].flatMap(([project, setup]) => {
    const ofChildren = setup.events ? takeChildEvents(setup.events) : []
    const events = [...ofChildren.map((event) => ({ ...event, isOfChild: true })), ...(setup.browser?.drainAll() ?? [])]
    return events.map(({ testFile, ...report }) => {
      const module = modules.find(({ moduleId }) => moduleId === testFile)
      const owner = module?.project ?? project
      const { root } = owner.config
      const errors = failedRequests(report.errors, module)
      return { ...report, errors, testFile: relative(root, testFile), root, setup: projects.get(owner) ?? setup }
    })
  })
}

// What is not served by us is served by the Hub: the test passes, and that it was without the cache stays to be told.
const WITHOUT_CACHE: RequestError['code'][] = ['NOT_SET_UP', 'UNSERVED']

/** With what became of the test that asked, or of its whole file where that is not known. */
function failedRequests(errors: RequestError[], module: TestModule | undefined): FailedRequest[] {
  return errors.map(({ test, ...error }) => {
    const asked =
      test === undefined ? undefined : [...(module?.children.allTests() ?? [])].find(({ id }) => id === test)
    const hasPassed = (asked ? asked.result().state : module?.state()) === 'passed'
    return { ...error, isExpected: hasPassed && !WITHOUT_CACHE.includes(error.code) }
  })
}
