import type { CacheSettings } from '../../config/options.ts'
import type { Fetch } from '../../net/fetch.ts'
import type { Run } from '../store/locks/leases.ts'
import type { Manifest } from './manifest.ts'

type Defaulted =
  | 'packAfter'
  | 'compression'
  | 'maintenance'
  | 'onTooLarge'
  | 'validate'
  | 'load'
  | 'adopt'
  | 'lockfile'
  | 'frozen'

/**
 * The settings of a cache. The defaults of `onTooLarge`, `validate`, `load`, `adopt` and `compression` are `keep`, `stat`, `mapped`, true
 * and `auto`. By default there is no lock file, `frozen` is false, and only `pack` packs. `maintenance` is for the end of a run.
 */
export interface CacheOptions extends Omit<CacheSettings, Defaulted>, Partial<Pick<CacheSettings, Defaulted>> {
  /** The run that uses this cache. Models that it asks for are claimed, so that no other run removes them. */
  run?: Run
  /** The manifest of this run's warm-up. With it, a worker serves a hit without reading metadata. */
  manifest?: Manifest
  /** The `hub` folders of other Hugging Face caches from which verified files are adopted. */
  adoptFrom?: string[]
  /**
   * What happens when the cache folder can't take a model: `temporary` serves it from a temporary folder that only this run uses,
   * `error` throws. Default `error`.
   */
  whenUnusable?: 'temporary' | 'error'
  /**
   * What happens when a download does not fit into `maxSize` beside the models that runs use now: `exceed` warns and downloads all the
   * same, `error` throws `TOO_LARGE`. Default `exceed`.
   */
  whenFull?: 'exceed' | 'error'
  /** False: no file is downloaded from the Hub. What the remote lacks is an error. Default true. */
  downloads?: boolean
  /** A download with too little progress for this many milliseconds has failed. Default 30,000. */
  stallMs?: number
  /** Aborts calls that have no signal of their own. */
  signal?: AbortSignal
  /** Called with one line for each decision. */
  onDebug?: (message: string) => void
  /** Called with one line for each problem that does not make a call fail. */
  onWarning?: (message: string) => void
  /** Default: the environment of this process. */
  env?: Readonly<Record<string, string | undefined>>
  /** Default: the `fetch` that suits this process (`net/find-fetch.ts`), also when a test has stubbed the global one. */
  fetch?: Fetch
}
