import { randomBytes } from 'node:crypto'
import type { ModelCache } from '../cache/model-cache.ts'
import { warnOfUnknownVariables } from '../config/environment-variables.ts'
import { isoNow, originals } from '../platform/originals.ts'
import { takeOwnMs } from '../platform/own-time.ts'
import type { Report, WarmedModel, WarmUpFailure } from '../report/report.ts'
import type { Output } from './output.ts'
import type { Project } from './project.ts'

/** The state of one main process of a test runner. In watch mode it lasts for several runs of tests. */
export interface Session {
  runId: string
  /** The start of the current run of tests, ISO 8601. */
  startedAt: string
  output: Output
  /** Each project by the runner's own object for it, or by its name. */
  projects: Map<unknown, Project>
  /** The warm-ups since the last report, one for each project. */
  warmUps: WarmUp[]
  hasReporter: boolean
  /** True once a warm-up had a model to warm. Tests will probably request a model, so a report will be needed. */
  isWarmed: boolean
  /** True in watch mode. The next run needs the same models again. */
  isWatching: boolean
  /** False until tests run. A runner may also call the global setup when it only lists tests. */
  isRunning: boolean
  /** What is to be sent to the remotes: `<repo>@<commit>`, by cache. */
  toUpload: Map<ModelCache, Set<string>>
  /** Ends the upload that is under way, if there is one. */
  stopUpload: () => void
  /** Ends the processes that maintain caches after the run before. They may have no lock yet that could be taken away. */
  stopMaintenance: () => void
  /** Plugin overhead of the current run that was set aside: milliseconds. */
  ownMs: number
  /** How many test files the current run has. Undefined until it is known. */
  testFiles?: number
  /** The absolute paths of the test files of the current run, by the keys of `projects`. Undefined until they are known. */
  queued?: Map<unknown, string[]>
  /** In the current run, only tests with such names run. */
  testNamePattern?: string
}

/** The result of one warm-up. */
export interface WarmUp {
  project: Project
  ms: number
  /** True when the warm-up asked the Hub. */
  askedHub: boolean
  /** The models that were not on disk before. */
  models: WarmedModel[]
  /** The declared models that could not be downloaded. */
  failures: WarmUpFailure[]
  /** The names of the models that were predicted. Undefined if nothing could be predicted. */
  predicted?: string[] | undefined
  /** Set if tests ran while models were on their way. */
  prefetch?: Report['prefetch'] | undefined
  /** True when this cache has no record of an earlier run of the project. */
  isFirstRun: boolean
}

/** A new session without projects. Warns of unknown MODEL_CACHE_* variables. */
export function newSession(output: Output, isWatching: boolean): Session {
  const warning = warnOfUnknownVariables(process.env)
  if (warning !== undefined) output.note(warning)
  return {
    runId: `${originals.now().toString(36)}-${process.pid}-${randomBytes(3).toString('hex')}`,
    startedAt: isoNow(),
    output,
    projects: new Map(),
    toUpload: new Map(),
    stopUpload: () => undefined,
    stopMaintenance: () => undefined,
    isWatching,
    ...{ warmUps: [], ownMs: 0, hasReporter: false, isRunning: false, isWarmed: false },
  }
}

/** Sets the plugin overhead of this process so far aside. Tests that run in the same process report their own. */
export function setOwnMsAside(session: Session): void {
  session.ownMs += takeOwnMs()
}
