import type { Cost } from './process.ts'
import { sample } from './rounds.ts'
import type { Row } from './row.ts'

/** The costs of one way as rows without a target: wall-clock time, CPU time and memory. */
export function costRows(way: string, runs: Cost[]): Row[] {
  const row = (what: string, unit: Row['unit'], values: (number | undefined)[]): Row[] => {
    const known = values.filter((value) => value !== undefined)
    return known.length > 0 ? [{ what: `  ${way}: ${what}`, unit, value: sample(known) }] : []
  }
  return [
    ...row(
      'wall',
      'ms',
      runs.map(({ wallMs }) => wallMs),
    ),
    ...row('user and system', 'ms', runs.map(cpuMs)),
    ...row(
      'peak memory',
      'bytes',
      runs.map(({ peakBytes }) => peakBytes),
    ),
  ]
}

/** CPU time in milliseconds; undefined where the system does not report it. */
export function cpuMs({ userMs, systemMs }: Cost): number | undefined {
  return userMs === undefined || systemMs === undefined ? undefined : userMs + systemMs
}

export function walls(runs: Cost[]): number[] {
  return runs.map(({ wallMs }) => wallMs)
}
