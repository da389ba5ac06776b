import type { Sample } from './rounds.ts'

/** One measured figure, with its target. */
export interface Row {
  what: string
  /** `ms`, `bytes`, `requests`, or `x` for a ratio. */
  unit: 'ms' | 'bytes' | 'requests' | 'x'
  value: Sample
  /** The target: the median must not be larger. A figure that only explains another one has no target. */
  atMost?: number
  /** The target: the median must not be smaller. */
  atLeast?: number
}

/** How a cost grows along one axis: its value at several points. */
export interface Growth {
  /** The label of the axis: `entries`, `workers`, `bytes`. */
  axis: string
  what: string
  unit: Row['unit']
  points: { at: number; value: Sample }[]
}

/** The results of one bench. */
export interface Findings {
  rows: Row[]
  growth?: Growth[]
  /** What was not measured and why, such as a peer that is not installed. */
  notes?: string[]
}

/** The input of all benches. */
export interface BenchContext {
  /** The folder of the built package. */
  packageDirectory: string
  isQuick: boolean
  /** The only parts of a bench to measure. Not all benches have parts. */
  only?: string[]
}

export type Bench = (context: BenchContext) => Promise<Findings>

/** True if the row reaches its target; undefined if it has none. */
export function holds({ value, atMost, atLeast }: Row): boolean | undefined {
  if (atMost === undefined && atLeast === undefined) return undefined
  return value.median <= (atMost ?? Infinity) && value.median >= (atLeast ?? -Infinity)
}
