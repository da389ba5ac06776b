import type { Evicted, FileReport, RequestError, Workers } from '../../model/request.ts'

/** One report for a test file: the requests of `models`, and the requests of untouched code. */
export function combineReports(
  { ownMs, workers }: { ownMs: number; workers?: Workers | undefined },
  reports: (FileReport | undefined)[],
  evicted?: Evicted,
): FileReport {
  const mocks = reports.reduce((sum, report) => sum + (report?.mocks ?? 0), 0)
  return {
    ownMs,
    ...(workers && { workers }),
    ...(mocks > 0 && { mocks }),
    requests: reports.flatMap((report) => report?.requests ?? []),
    errors: withoutEnded(reports.flatMap((report) => report?.errors ?? [])),
    ...(evicted && evicted.models.length > 0 && { evicted }),
  }
}

/** A download can fail after a test stopped waiting for it. Then the error of the download is kept, and `UNFINISHED` is dropped. */
function withoutEnded(errors: RequestError[]): RequestError[] {
  const ended = errors.filter(({ code }) => code !== 'UNFINISHED').map(({ model }) => model)
  return errors.filter(({ code, model }) => code !== 'UNFINISHED' || !ended.includes(model))
}
