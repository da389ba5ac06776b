import type { Outcome, Run } from './run-suite.ts'

/** The defects of an outcome; empty if there are none. */
export function faultsOf({ cold, warm, unit, copiedBytes, compiled }: Outcome, expected: Expected): string[] {
  const keepsCode = compiled > 0
  return [
    ...faultsOfRun('cold', cold, expected),
    ...faultsOfRun('warm', warm, expected),
    ...(cold.requests === 0 ? ['the cold run made no request, so nothing was tested'] : []),
    ...(warm.requests > 0 ? [`the warm run made ${warm.requests} requests`] : []),
    ...(unit ? faultsOfRun('unit', unit, { requests: 0 }) : []),
    ...(unit && unit.requests > 0 ? [`the run in unit mode made ${unit.requests} requests`] : []),
    ...(keepsCode === (expected.keepsCode ?? keepsCode) ? [] : [`${compiled} modules in the compile cache`]),
    ...(copiedBytes > 0 && !expected.copies ? [`a second copy of ${copiedBytes} bytes`] : []),
  ]
}

export interface Expected {
  /** The number of model requests that each run must report. */
  requests: number
  /** True if the workers must keep compiled code, false if they must not. */
  keepsCode?: boolean
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
