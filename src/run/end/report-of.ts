import type { ModelCache } from '../../cache/model-cache.ts'
import type { RequestEvent } from '../../model/request.ts'
import { sum } from '../../report/distribution.ts'
import { makeReport, type Report } from '../../report/report.ts'
import type { FinishedRun, RequestReport } from './finished-run.ts'
import { predictionOf } from './prediction-of.ts'
import { prefetchOf } from './prefetch-of.ts'

/** Makes the reports of a run and of its parts. Most runs have only one part. Its report is also the run's, and is made once. */
export class RunReports {
  readonly #made = new Map<ModelCache, Promise<Report>>()

  constructor(readonly run: FinishedRun) {}

  /** The report of a part of the run, with the state of `cache`. */
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
  const downloaded = new Set(
    reports.flatMap(({ requests }) => requests.filter(({ tier }) => !['memory', 'disk'].includes(tier)).map(keyOf)),
  )
  const [children, workers] = [true, false].map((isOfChild) =>
    reports
      .filter((report) => (report.isOfChild ?? false) === isOfChild)
      .flatMap((report) => ownMsOf(report, downloaded)),
  )
  return makeReport({
    // The processes that a test starts can't share a loaded model with other tests.
    requests: reports.flatMap(({ requests, testFile, isOfChild, workers }) =>
      requests.map((request) => ({ ...request, testFile, workers: isOfChild ? undefined : workers })),
    ),
    errors: reports.flatMap(({ errors, testFile }) => errors.map((error) => ({ ...error, testFile }))),
    warmUpFailures: warmUps.flatMap(({ failures }) => failures),
    isFirstRun: warmUps.length > 0 && warmUps.every(({ isFirstRun }) => isFirstRun),
    warmed: warmUps.flatMap(({ models }) => models),
    warmUpMs: warmUps.length === 0 ? null : warmUps.reduce((sum, { ms }) => sum + ms, 0),
    prediction: predictionOf(run),
    prefetch: prefetchOf(run),
    ownMs: { main: run.ownMs ?? null, workers, children },
    // In unit mode the cache is not read.
    cache: run.mode === 'unit' ? null : await stateOf(cache),
    threads: threadsOf(reports),
    ...{ removals, startedAt, durationMs, mode: run.mode, mocks: sum(reports.map(({ mocks }) => mocks ?? 0)) },
  })
}

function threadsOf(reports: RequestReport[]): Report['threads'] {
  const loading = reports.filter(({ requests }) => requests.some(({ loadMs }) => loadMs !== null))
  if (loading.length === 0) return null
  return loading.some(({ project }) => project.options.threads === 'shared') ? 'shared' : 'as-is'
}

/** Null if the cache folder is refused: the run then used a temporary folder, which is removed at its end. */
async function stateOf(cache: ModelCache): Promise<Report['cache']> {
  if (cache.context.refusal) return null
  const { takenAt: _, ...state } = await cache.statistics()
  return state
}

/**
 * The plugin overhead of one test file or child process, lookups included. Lookups of a model that was downloaded in this run are
 * left out: they may have waited for the download of another process. Empty for a browser, where nothing is measured.
 */
function ownMsOf({ ownMs, requests }: RequestReport, downloaded: Set<string>): number[] {
  const lookups = requests.filter((request) => !downloaded.has(keyOf(request)))
  return ownMs === undefined ? [] : [lookups.reduce((sum, { lookupMs }) => sum + lookupMs, ownMs)]
}

function keyOf({ repo, commit }: RequestEvent): string {
  return `${repo}@${commit}`
}
