import type { ModelCache } from '../cache/model-cache.ts'
import { makeReport, type Report } from '../report/report.ts'
import type { FinishedRun, ModuleReport } from './finished-run.ts'

/** The reports of a run and of its parts. Most runs have one part, and its report is made once. */
export class RunReports {
  readonly #made = new Map<ModelCache, Promise<Report>>()

  constructor(readonly run: FinishedRun) {}

  /** `cache` is the one whose state it tells. */
  of(part: FinishedRun, cache: ModelCache): Promise<Report> {
    const { reports, warmUps, removals, ownMs } = this.run
    const isWhole = part.reports.length === reports.length && part.warmUps.length === warmUps.length
    if (!isWhole || part.removals !== removals || part.ownMs !== ownMs) return reportOf(part, cache)
    const made = this.#made.get(cache) ?? reportOf(part, cache)
    this.#made.set(cache, made)
    return made
  }
}

async function reportOf(run: FinishedRun, cache: ModelCache): Promise<Report> {
  const { reports, warmUps, removals, startedAt, durationMs } = run
  const [children, workers] = [true, false].map((isOfChild) =>
    reports.filter((report) => (report.isOfChild ?? false) === isOfChild).flatMap(ownMsOf),
  )
  const { takenAt: _, ...state } = await cache.statistics()
  return makeReport({
    requests: reports.flatMap(({ requests, testFile }) => requests.map((request) => ({ ...request, testFile }))),
    errors: reports.flatMap(({ errors }) => errors),
    warmed: warmUps.flatMap(({ models }) => models),
    warmUpMs: warmUps.length === 0 ? null : warmUps.reduce((sum, { ms }) => sum + ms, 0),
    ownMs: { main: run.ownMs ?? null, workers, children },
    ...{ cache: state, removals, startedAt, durationMs },
  })
}

/** None where it was not measured: in a browser. */
function ownMsOf({ ownMs, requests }: ModuleReport): number[] {
  return ownMs === undefined ? [] : [requests.reduce((sum, { lookupMs }) => sum + lookupMs, ownMs)]
}
