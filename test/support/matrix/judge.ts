import type { Outcome, Run } from './run-suite.ts'

/** What is wrong with an outcome; empty where it is green. */
export function faultsOf({ cold, warm, copiedBytes }: Outcome, expected: Expected): string[] {
  return [
    ...faultsOfRun('cold', cold, expected),
    ...faultsOfRun('warm', warm, expected),
    ...(cold.requests === 0 ? ['the cold run made no request: nothing was tried'] : []),
    ...(warm.requests > 0 ? [`the warm run made ${warm.requests} requests`] : []),
    ...(copiedBytes > 0 && !expected.copies ? [`a second copy of ${copiedBytes} bytes`] : []),
  ]
}

export interface Expected {
  /** How many requests of models each run reports. */
  requests: number
  /** Whether the library may leave a copy of its own. */
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
