import type { RequestEvent } from '../../model/request.ts'

/**
 * The time by the clock in which downloads ran, divided by the sum of their recorded times (0 to 1). Processes of one run that
 * download at the same time each record the whole time, so that sum is too large. Pure.
 */
export function shareByTheClock(requests: readonly RequestEvent[]): number {
  let recorded = 0
  const spans: [from: number, to: number][] = []
  for (const { at, lookupMs, downloadMs, recordedDownloadMs } of requests) {
    if (downloadMs === null || recordedDownloadMs === null) continue
    recorded += recordedDownloadMs
    spans.push([at + lookupMs, at + lookupMs + downloadMs])
  }
  return recorded === 0 ? 1 : Math.min(1, lengthOf(spans) / recorded)
}

/** Milliseconds that at least one of the spans covers. */
function lengthOf(spans: [from: number, to: number][]): number {
  let length = 0
  let end = Number.NEGATIVE_INFINITY
  for (const [from, to] of spans.sort(([a], [b]) => a - b)) {
    length += Math.max(0, to - Math.max(from, end))
    end = Math.max(end, to)
  }
  return length
}
