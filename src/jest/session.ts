import { outputToStderr } from '../run/output.ts'
import { newSession, type Session } from '../run/session.ts'
import type { ProjectConfig, TestFileResult } from './types.ts'

/** The present run of tests. In watch mode Jest calls the global setup and the global teardown for each run. */
export interface JestRun {
  session: Session
  /** The projects that use this package. */
  projects: ProjectConfig[]
  /** The folder with the settings for workers. Undefined until there is one. */
  folder?: string
  /** The results of the test files, from the reporter. */
  results: { project: ProjectConfig; result: TestFileResult }[]
  isReported: boolean
  /** Puts back the variables of this process that the run changed. */
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
  return { session, projects: [], results: [], isReported: false, restore: () => undefined }
}
