import type { Distribution } from './types.ts'

/** The distribution of measurements. Null if there are none. */
export function distributionOf(values: readonly number[]): Distribution | null {
  const sorted = [...values].sort((a, b) => a - b)
  const max = sorted.at(-1)
  if (max === undefined) return null
  return { count: sorted.length, total: sum(sorted), p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95), max }
}

export function median(values: readonly number[]): number | null {
  return distributionOf(values)?.p50 ?? null
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** Interpolates linearly between the two nearest measurements: the median of two is their mean. */
function quantile(sorted: readonly number[], share: number): number {
  const rank = (sorted.length - 1) * share
  const [low = 0, high = 0] = [sorted[Math.floor(rank)], sorted[Math.ceil(rank)]]
  // `low * (1 - part) + high * part` could differ from `low` when both are equal.
  return low + (high - low) * (rank - Math.floor(rank))
}
