import process from 'node:process'
import { outputToStderr } from '../../run/output.ts'
import { newSession, type Session } from '../../run/session.ts'
import { RUN_VARIABLE } from '../../run/settings-file.ts'
import { VARIABLES_FOR_CHILDREN } from '../../run/worker/intercept.ts'
import type { ProjectConfig, TestFileResult } from '../types.ts'

/** The present run of tests. In watch mode Jest calls the global setup and the global teardown for each run. */
export interface JestRun {
  session: Session
  /** The projects that use this package. */
  projects: ProjectConfig[]
  /** The folder with the settings for workers. Undefined until there is one. */
  folder?: string
  /** The results of the test files, from the reporter. */
  results: { project: ProjectConfig; result: TestFileResult }[]
  /** Settles when the report is shown. Undefined until that begins. */
  reported?: Promise<void>
  /** Settles when the global teardown has ended. Undefined until that begins. */
  ended?: Promise<void>
  /** Puts back the variables of this process that the run changes: its own, and in tests that run in this process those of workers. */
  restore: () => void
}

// On the global object: Jest may load the global setup and the reporter as different kinds of modules.
const KEY = Symbol.for('vitest-model-cache.jest-run')

/** The present run; undefined if no global setup of ours was called. */
export function currentRun(): JestRun | undefined {
  return holder()[KEY]
}

/** The present run. The first call makes it. */
export function openRun(): JestRun {
  const holding = holder()
  holding[KEY] ??= newRun()
  return holding[KEY]
}

/** Called when a worker begins with a test file of a project. The first call in a run counts. */
export function testsBegan({ projects }: Session, project?: string): void {
  for (const [id, { prefetch }] of projects) if (project === undefined || id === project) prefetch?.testsBegan()
}

export function closeRun(): void {
  delete holder()[KEY]
}

function holder(): { [KEY]?: JestRun } {
  const global: object = globalThis
  return global
}

function newRun(): JestRun {
  const session = newSession(outputToStderr(), false)
  session.isRunning = true
  session.hasReporter = true
  return { session, projects: [], results: [], restore: keepVariables() }
}

function keepVariables(): () => void {
  const kept = [RUN_VARIABLE, ...VARIABLES_FOR_CHILDREN].map((name) => [name, process.env[name]] as const)
  return () => {
    for (const [name, value] of kept) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}
