import type { Mode } from '../../config/options.ts'
import type { FileReport } from '../../model/request.ts'
import type { FailedRequest, Removals } from '../../report/report.ts'
import type { Project } from '../project.ts'
import type { WarmUp } from '../session.ts'

/** The result of a test file, from the runner. */
export interface FinishedFile {
  project: Project
  /** The absolute path of the test file. */
  path: string
  /** The report of its worker; undefined if the worker sent none. */
  report: FileReport | undefined
  /** True when the test with this id passed. Without an id, or with the id of no test: when the whole file passed. */
  hasPassed(test?: string): boolean
  /** True if all of its tests ran and passed, and each model that they need was requested by this file. Undefined if not known. */
  isWhole?(): boolean
  /** The messages of the errors that the runner shows for the file, its hooks and its tests, causes included. */
  errors(): string[]
}

/** The end of a run of tests, from the runner. */
export interface Ending {
  files: FinishedFile[]
  /** True if all tests passed. It decides for a test file that is not among `files`: a runner may not tell the result of each file. */
  allPassed?: boolean
  /** The number of this run in its session. A watch session has several runs. */
  number: number
  /** True when a filter left out some of the suite's tests. */
  isPartial(): boolean
}

/** The requests of one test file, or of a child process of its tests. */
export interface RequestReport extends Omit<FileReport, 'errors'> {
  errors: FailedRequest[]
  /** Relative to the project's root. */
  testFile: string
  project: Project
  /** True for the requests of a child process. */
  isOfChild?: boolean
}

/** The result of a run of tests, or of a part of it. */
export interface FinishedRun {
  mode: Mode
  /** The test files, also those that requested nothing. */
  files: { project: Project; testFile: string; isWhole(): boolean }[]
  /** Only tests with such names ran. */
  testNamePattern?: string
  reports: RequestReport[]
  warmUps: WarmUp[]
  /** The messages of the errors that the runner shows; empty if no request failed. */
  testErrors: string[]
  removals: Removals
  /** Milliseconds; left out if the cache was not maintained. */
  maintenanceMs?: number
  /** The plugin overhead in the main process up to the report: milliseconds. */
  ownMs?: number
  /** ISO 8601. */
  startedAt: string
  durationMs: number
}

/** True when a request or a warm-up failed or a download was not finished, or when models were used (`usedModels`). */
export function hasNews(run: FinishedRun): boolean {
  const { reports, warmUps } = run
  const hasFailed =
    reports.some(({ errors }) => errors.length > 0) ||
    warmUps.some(({ failures, prefetch }) => failures.length > 0 || prefetch?.unfinished.length)
  return hasFailed || usedModels(run)
}

/** True when a test requested a model, or the warm-up downloaded or adopted one. */
export function usedModels({ reports, warmUps }: FinishedRun): boolean {
  return reports.some(({ requests }) => requests.length > 0) || warmUps.some(({ models }) => models.length > 0)
}

/** Adds models that were evicted to the removals of the run. */
export function addEvicted({ removals }: FinishedRun, { models, bytes } = { models: [] as string[], bytes: 0 }): void {
  removals.evicted.push(...models)
  removals.freedBytes += bytes
}

/** The part of a run that belongs to some of its projects. */
export function partOf(run: FinishedRun, isMeant: (project: Project) => boolean): FinishedRun {
  const isOfPart = ({ project }: { project: Project }) => isMeant(project)
  return {
    ...run,
    files: run.files.filter(isOfPart),
    reports: run.reports.filter(isOfPart),
    warmUps: run.warmUps.filter(isOfPart),
  }
}
