import type { Sample } from './rounds.ts'

/** One figure that is to be reached, as it was measured. */
export interface Row {
  what: string
  /** `ms`, `bytes`, or `x` for a ratio. */
  unit: 'ms' | 'bytes' | 'x'
  value: Sample
  /** The value is to be no more than this; undefined for a figure that only explains another. */
  reach?: number
}

/** What all benches are given. */
export interface BenchContext {
  /** The folder of the built package. */
  packageDirectory: string
  isQuick: boolean
}

export type Bench = (context: BenchContext) => Promise<Row[]>
