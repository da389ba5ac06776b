import type { Outcome, Run } from './run-suite.ts'

/** The defects of an outcome; empty if there are none. */
export function faultsOf({ cold, warm, unit, plain, copiedBytes, compiled }: Outcome, expected: Expected): string[] {
  const keepsCode = compiled > 0
  return [
    ...faultsOfRun('cold', cold, expected),
    ...faultsOfRun('warm', warm, expected),
    ...(cold.requests === 0 ? ['the cold run made no request, so nothing was tested'] : []),
    ...(warm.requests > 0 ? [`the warm run made ${warm.requests} requests`] : []),
    ...(cold.bytesRatio > 1.004 ? [`the cold run downloaded ${cold.bytesRatio} of the bytes of its files`] : []),
    ...(unit ? faultsOfRun('unit', unit, { requests: 0 }) : []),
    ...(unit && unit.requests > 0 ? [`the run in unit mode made ${unit.requests} requests`] : []),
    ...(plain ? faultsOfPlain(plain, expected) : []),
    ...(keepsCode === (expected.keepsCode ?? keepsCode) ? [] : [`${compiled} modules in the compile cache`]),
    ...(copiedBytes > 0 && !expected.copies ? [`a second copy of ${copiedBytes} bytes`] : []),
  ]
}

export interface Expected {
  /** The number of model requests that each run must report. */
  requests: number
  /** True if the workers must keep compiled code, false if they must not. */
  keepsCode?: boolean
  /** What the output of the run without this package must contain. */
  plainFailure?: string
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

function faultsOfPlain({ exitCode, output }: Run, { plainFailure = '' }: Expected): string[] {
  if (exitCode === 0) return ['the suite passed without this package, so nothing was tested']
  return output.includes(plainFailure) ? [] : [`without this package, the suite failed otherwise: ${output}`]
}
