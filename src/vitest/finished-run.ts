import type { ModelCache } from '../cache/model-cache.ts'
import type { FileReport } from '../model/request.ts'
import { makeReport, type Removals, type Report } from '../report/report.ts'
import type { ProjectSetup, WarmUp } from './session.ts'

/** What one test file asked for. */
export interface ModuleReport extends FileReport {
  testFile: string
  /** The root folder of its project. */
  root: string
  setup: ProjectSetup
}

/** What a run of tests came to, or a part of it. */
export interface FinishedRun {
  reports: ModuleReport[]
  warmUps: WarmUp[]
  removals: Removals
  /** Milliseconds; left out where there was nothing to maintain. */
  maintenanceMs?: number
  /** ISO 8601. */
  startedAt: string
  durationMs: number
}

/** True when a model was asked for, or brought in. */
export function usedModels({ reports, warmUps }: FinishedRun): boolean {
  return reports.some(({ requests }) => requests.length > 0) || warmUps.some(({ models }) => models.length > 0)
}

/** The part of a run that some of its projects had. */
export function partOf(run: FinishedRun, isMeant: (of: { root: string; setup: ProjectSetup }) => boolean): FinishedRun {
  return { ...run, reports: run.reports.filter(isMeant), warmUps: run.warmUps.filter(isMeant) }
}

export async function reportOf(run: FinishedRun, cache: ModelCache): Promise<Report> {
  const { reports, warmUps, removals, startedAt, durationMs } = run
  const { takenAt: _, ...state } = await cache.statistics()
  return makeReport({
    requests: reports.flatMap(({ requests, testFile }) => requests.map((request) => ({ ...request, testFile }))),
    errors: reports.flatMap(({ errors }) => errors),
    warmed: warmUps.flatMap(({ models }) => models),
    warmUpMs: warmUps.length === 0 ? null : warmUps.reduce((sum, { ms }) => sum + ms, 0),
    ...{ cache: state, removals, startedAt, durationMs },
  })
}
