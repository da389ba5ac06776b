import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { withMessageOnly } from '../config/message-only.ts'
import { type ModelCacheOptions, resolveOptions } from '../config/options.ts'
import { messageOf } from '../model/errors.ts'
import type { FileReport } from '../model/request.ts'
import { originals } from '../platform/originals.ts'
import { spent } from '../platform/own-time.ts'
import { endProject } from '../run/end/end-project.ts'
import { finishRun, loadConclusion } from '../run/end/finish-run.ts'
import { takeLeftReports } from '../run/end/take-left-reports.ts'
import { outputToStderr } from '../run/output.ts'
import type { Project } from '../run/project.ts'
import { newSession, type Session, setOwnMsAside } from '../run/session.ts'
import { addProject } from '../run/start/add-project.ts'
import { prepareProject } from '../run/start/prepare-project.ts'
import { disposeModels } from '../run/worker/dispose-models.ts'
import { openWorker, type Worker } from '../run/worker/worker.ts'
import { PROJECT } from './serve-this-process.ts'

interface Run {
  session: Session
  project: Project
  /** Serves tests that run in this process. Undefined if the tests run without models. */
  worker: Worker | undefined
}

/** Warms the cache for the tests in the current folder. Returns the function that ends the run. */
export async function startRun(options: ModelCacheOptions): Promise<() => Promise<void>> {
  const started = originals.monotonic()
  const root = process.cwd()
  const resolved = withMessageOnly(() => resolveOptions(options, process.env, root))
  const session = newSession(outputToStderr(), process.execArgv.includes('--watch'))
  session.hasReporter = true
  const project = addProject(session, PROJECT, { root, options: resolved })
  const settings = await prepareProject(session, project, { id: PROJECT, filesAtOnce: filesAtOnce() })
  const worker = settings && openWorker(settings, globalThis)
  await worker?.ready
  // Each test file has a process, which gets the preload as a child process of this one and names its test file itself.
  worker?.begin(isWithoutIsolation() ? ofThisProcess(root) : '')
  if (session.isWarmed) loadConclusion()
  spent('global setup', started)
  setOwnMsAside(session)
  return () => endRun({ session, project, worker })
}

async function endRun({ session, project, worker }: Run): Promise<void> {
  const allPassed = !process.exitCode
  const fileOf = (path: string, report: FileReport) => ({
    ...{ project, path, report },
    hasPassed: () => allPassed,
    errors: () => [],
  })
  try {
    const own = worker ? [fileOf(ofThisProcess(project.root), worker.end())] : []
    const left = takeLeftReports(project).map((report) => fileOf(report.testFile, report))
    await finishRun(session, { files: [...own, ...left], allPassed, number: 1, isPartial })
  } catch (error) {
    // A report that fails must not fail the suite.
    session.output.note(`The report could not be made: ${messageOf(error)}`)
  }
  await disposeModels(globalThis)
  await endProject(project)
}

/** The name, in reports, of the test files that run in this process. */
function ofThisProcess(root: string): string {
  return join(root, 'node --test')
}

function isWithoutIsolation(): boolean {
  return [optionOf('--test-isolation'), optionOf('--experimental-test-isolation')].includes('none')
}

/** The value of an option of Node.js: `--name=value` or `--name value`. */
function optionOf(name: string): string | undefined {
  const { execArgv } = process
  const index = execArgv.findIndex((option) => option === name || option.startsWith(`${name}=`))
  return execArgv[index] === name ? execArgv[index + 1] : execArgv[index]?.slice(name.length + 1)
}

/** The value of `--test-concurrency`, or its default. */
function filesAtOnce(): number {
  return Math.max(1, Number(optionOf('--test-concurrency')) || availableParallelism() - 1)
}

/** True if options or patterns of the command line may leave out some of the tests. */
function isPartial(): boolean {
  const filters = /^--test-(only$|(name-pattern|skip-pattern|shard|rerun-failures)(=|$))/
  return process.argv.length > 1 || process.execArgv.some((option) => filters.test(option))
}
