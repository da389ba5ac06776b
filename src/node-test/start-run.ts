import { mkdirSync, writeFileSync } from 'node:fs'
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
import { chooseEventsFolder, type EventsFolder } from '../run/events-folder.ts'
import { outputToStderr } from '../run/output.ts'
import type { Project } from '../run/project.ts'
import { newSession, type Session, setOwnMsAside } from '../run/session.ts'
import { addProject } from '../run/start/add-project.ts'
import { handOver } from '../run/start/hand-over.ts'
import { serveChildren } from '../run/start/serve-children.ts'
import { warmUp } from '../run/start/warm-up.ts'
import { openWorker, type Worker } from '../run/worker/worker.ts'
import type { WorkerSettings } from '../run/worker-settings.ts'
import { SETTINGS_VARIABLE } from './serve-this-process.ts'

interface Run {
  session: Session
  project: Project & { events: EventsFolder }
  /** Serves tests that run in this process. */
  worker: Worker
}

/** Warms the cache for the tests in the current folder. Returns the function that ends the run. */
export async function startRun(options: ModelCacheOptions): Promise<() => Promise<void>> {
  const started = originals.monotonic()
  const root = process.cwd()
  const resolved = withMessageOnly(() => resolveOptions(options, process.env, root))
  const session = newSession(outputToStderr(), process.execArgv.includes('--watch'))
  session.hasReporter = true
  const added = addProject(session, root, { root, options: resolved })
  const manifest = await warmUp(session, added)
  await serveChildren(session, added)
  const project = { ...added, events: added.events ?? chooseEventsFolder(added.cache.context, session.runId) }
  session.projects.set(root, project)
  const settings = handOver(session, project, { manifest, filesAtOnce: filesAtOnce() })
  leaveSettings(settings)
  const worker = openWorker(settings, globalThis)
  await worker.ready
  // Each test file has a process, which gets the preload as a child process of this one and names its test file itself.
  worker.begin(isWithoutIsolation() ? ofThisProcess(root) : '')
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
  const left = takeLeftReports(project.events).map((report) => fileOf(report.testFile, report))
  const files = [fileOf(ofThisProcess(project.root), worker.end()), ...left]
  try {
    await finishRun(session, { files, allPassed, number: 1, isPartial })
  } catch (error) {
    // A report that fails must not fail the suite.
    session.output.note(`The report could not be made: ${messageOf(error)}`)
  }
  await worker.disposeAll()
  await endProject(project)
}

/** The name, in reports, of the test files that run in this process. */
function ofThisProcess(root: string): string {
  return join(root, 'node --test')
}

function leaveSettings(settings: WorkerSettings): void {
  const file = join(settings.events, 'settings-node.json')
  mkdirSync(settings.events, { recursive: true, mode: 0o700 })
  writeFileSync(file, JSON.stringify(settings), { mode: 0o600 })
  process.env[SETTINGS_VARIABLE] = file
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
