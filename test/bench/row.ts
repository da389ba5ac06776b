import type { Sample } from './rounds.ts'

/** One figure as it was measured, with what it is to reach. */
export interface Row {
  what: string
  /** `ms`, `bytes`, `requests`, or `x` for a ratio. */
  unit: 'ms' | 'bytes' | 'requests' | 'x'
  value: Sample
  /** The median is to be no more than this; neither bound is given for a figure that only explains another. */
  atMost?: number
  /** The median is to be no less than this. */
  atLeast?: number
}

/** How a cost grows along one axis: what it is at each of the points. */
export interface Growth {
  /** What grows, as its axis says it: `entries`, `workers`, `bytes`. */
  axis: string
  what: string
  unit: Row['unit']
  points: { at: number; value: Sample }[]
}

/** What a bench found. */
export interface Findings {
  rows: Row[]
  growth?: Growth[]
  /** What was not measured, and why: a peer that this machine does not have. */
  notes?: string[]
}

/** What all benches are given. */
export interface BenchContext {
  /** The folder of the built package. */
  packageDirectory: string
  isQuick: boolean
}

export type Bench = (context: BenchContext) => Promise<Findings>

/** Undefined where nothing is to be reached. */
export function holds({ value, atMost, atLeast }: Row): boolean | undefined {
  if (atMost === undefined && atLeast === undefined) return undefined
  return value.median <= (atMost ?? Infinity) && value.median >= (atLeast ?? -Infinity)
}
