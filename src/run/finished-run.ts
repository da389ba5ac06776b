import type { FileReport } from '../model/request.ts'
import type { FailedRequest, Removals } from '../report/report.ts'
import type { ProjectSetup, WarmUp } from './session.ts'

/** What one test file asked for. */
export interface ModuleReport extends Omit<FileReport, 'errors'> {
  errors: FailedRequest[]
  testFile: string
  /** The root folder of its project. */
  root: string
  setup: ProjectSetup
  /** True for what a process asked for that a test started. */
  isOfChild?: boolean
}

/** True when there is something to tell of a run. */
export function hasNews(run: FinishedRun): boolean {
  const { reports, warmUps } = run
  const hasFailed =
    reports.some(({ errors }) => errors.length > 0) || warmUps.some(({ failures }) => failures.length > 0)
  return hasFailed || usedModels(run)
}

/** What a run of tests came to, or a part of it. */
export interface FinishedRun {
  reports: ModuleReport[]
  warmUps: WarmUp[]
  /** The messages of the errors that the runner shows for tests, hooks and test files; empty where no request failed. */
  testErrors: string[]
  removals: Removals
  /** Milliseconds; left out where there was nothing to maintain. */
  maintenanceMs?: number
  /** What the package took of the main process's time until here: milliseconds. */
  ownMs?: number
  /** ISO 8601. */
  startedAt: string
  durationMs: number
}

/** True when a model was asked for, or brought in. */
export function usedModels({ reports, warmUps }: FinishedRun): boolean {
  return reports.some(({ requests }) => requests.length > 0) || warmUps.some(({ models }) => models.length > 0)
}

/** Counts what was removed to make room for others. */
export function addEvicted({ removals }: FinishedRun, { models, bytes } = { models: [] as string[], bytes: 0 }): void {
  removals.evicted.push(...models)
  removals.freedBytes += bytes
}

/** The part of a run that some of its projects had. */
export function partOf(run: FinishedRun, isMeant: (of: { root: string; setup: ProjectSetup }) => boolean): FinishedRun {
  return { ...run, reports: run.reports.filter(isMeant), warmUps: run.warmUps.filter(isMeant) }
}
