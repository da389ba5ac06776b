import type { Cost } from './process.ts'
import { sample } from './rounds.ts'
import type { Row } from './row.ts'

/** What whole processes took, where the system says it. */
export function costRows(what: string, costs: Cost[]): Row[] {
  const processor = costs.flatMap(({ userMs, systemMs }) => (userMs === undefined ? [] : [userMs + (systemMs ?? 0)]))
  const peaks = costs.flatMap(({ peakBytes }) => peakBytes ?? [])
  return [
    { what: `${what}: whole process`, unit: 'ms', value: sample(costs.map(({ wallMs }) => wallMs)) },
    ...(processor.length > 0 ? [{ what: '  user and system', unit: 'ms' as const, value: sample(processor) }] : []),
    ...(peaks.length > 0 ? [{ what: '  peak memory', unit: 'bytes' as const, value: sample(peaks) }] : []),
  ]
}
