import type { CacheOptions } from '../../../src/cache/index.ts'
import type { Instant } from './steps.ts'

/** How the process opens the cache. */
export type ProcessOptions = Omit<CacheOptions, 'run' | 'onWarning' | 'onDebug' | 'fetch'> & {
  /** What its requests are called in the Hub's log. */
  userAgent?: string
  /** Claims what it asks for, as a test run does. */
  isRun?: boolean
}

/** What a process is told to do: `models` in one turn, and so many turns or until it is told to stop. */
export interface Task {
  /** `use` records one use of each; `revisit` reads again what `get` and `warm` gave. */
  verb: 'get' | 'warm' | 'use' | 'remove' | 'maintain' | 'clean' | 'optimize' | 'pin' | 'revisit'
  models: string[]
  turns?: number
  /** Kills itself in the middle of its turns. */
  dieAt?: Instant
}

/** A model as the process found it. */
export interface Given {
  repo: string
  tier: string
  directory: string
  bytes: number
  downloadedBytes: number
  /** sha256 of what stands in its files, by path. */
  contents: Record<string, string>
}

/** What came of one turn. */
export interface Turn {
  given: Given[]
  errors: string[]
}
