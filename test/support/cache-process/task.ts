import type { CacheOptions } from '../../../src/cache/index.ts'
import type { Instant } from './steps.ts'

/** How the process opens the cache. */
export type ProcessOptions = Omit<CacheOptions, 'run' | 'onWarning' | 'onDebug' | 'fetch'> & {
  /** The user agent of its requests in the Hub's log. */
  userAgent?: string
  /** True to claim the models that it gets, as a test run does. */
  isRun?: boolean
}

/** A task of a process: each turn runs the verb on all `models`. Ends after `turns` turns, or when the process is told to stop. */
export interface Task {
  /**
   * `use` records one use of each model; `revisit` reads the files again that `get` and `warm` returned. For `import`, `models` are
   * the paths of archives.
   */
  verb:
    | 'get'
    | 'warm'
    | 'use'
    | 'remove'
    | 'maintain'
    | 'maintainInBackground'
    | 'clean'
    | 'optimize'
    | 'pin'
    | 'push'
    | 'pack'
    | 'unpack'
    | 'revisit'
    | 'import'
  models: string[]
  turns?: number
  /** The process kills or stops itself at this instant. */
  dieAt?: Instant
}

/** A model as the process got it. */
export interface Given {
  repo: string
  tier: string
  directory: string
  bytes: number
  downloadedBytes: number
  /** The sha256 of its files, by path. */
  contents: Record<string, string>
}

/** The result of one turn. */
export interface Turn {
  given: Given[]
  errors: string[]
}
