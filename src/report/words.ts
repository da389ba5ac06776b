import { formatDuration } from '../config/units.ts'
import type { ModelReport } from './types.ts'

/** `1 model`, `3 models` */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}

export function percent(share: number): string {
  // A rate below 1 is not shown as 100%.
  return `${share < 1 ? Math.min(99, Math.round(share * 100)) : 100}%`
}

/** `2026-01-15 10:30`, in UTC. Such dates sort as texts. */
export function shortDate(date: string): string {
  return new Date(date).toISOString().slice(0, 16).replace('T', ' ')
}

/** `org/name`, or `org/name@revision` unless the revision is `main`. */
export function labelOf({ repo, revision }: { repo: string; revision: string }): string {
  return revision === 'main' ? repo : `${repo}@${revision}`
}

/** `893 ms`, or with several loads `729 ms (3 times, 2.21 s)`: the median, the count and the sum. Empty without a load. */
export function loadOf({ loadMs, loads, loadMsTotal }: ModelReport): string {
  if (loadMs === null) return ''
  const all = loads > 1 ? ` (${loads} times, ${formatDuration(loadMsTotal)})` : ''
  return `${formatDuration(loadMs)}${all}`
}
