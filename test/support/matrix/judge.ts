import type { Outcome, Run } from './run-suite.ts'

/** The defects of an outcome; empty if there are none. */
export function faultsOf({ cold, warm, unit, copiedBytes }: Outcome, expected: Expected): string[] {
  return [
    ...faultsOfRun('cold', cold, expected),
    ...faultsOfRun('warm', warm, expected),
    ...(cold.requests === 0 ? ['the cold run made no request, so nothing was tested'] : []),
    ...(warm.requests > 0 ? [`the warm run made ${warm.requests} requests`] : []),
    ...(unit ? faultsOfRun('unit', unit, { requests: 0 }) : []),
    ...(unit && unit.requests > 0 ? [`the run in unit mode made ${unit.requests} requests`] : []),
    ...(copiedBytes > 0 && !expected.copies ? [`a second copy of ${copiedBytes} bytes`] : []),
  ]
}

export interface Expected {
  /** The number of model requests that each run must report. */
  requests: number
  /** True if the library may keep its own copy of the files. */
  copies?: boolean
}

function faultsOfRun(name: string, { exitCode, twice, report }: Run, { requests }: Expected): string[] {
  return [
    ...(exitCode === 0 ? [] : [`the ${name} suite failed`]),
    ...(twice.length === 0 ? [] : [`${name}: downloaded twice: ${twice.join(', ')}`]),
    ...(report?.requests === requests
      ? []
      : [`${name}: ${report?.requests ?? 'no'} requests reported, not ${requests}`]),
    ...(report?.errors.length ? [`${name}: errors reported: ${JSON.stringify(report.errors)}`] : []),
  ]
}
