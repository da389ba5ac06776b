import type { ModelCache } from '../cache/model-cache.ts'
import { makeReport, type Report } from '../report/report.ts'
import type { FinishedRun } from './finished-run.ts'

/** The report of a run. `cache` is the one whose state it tells. */
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
