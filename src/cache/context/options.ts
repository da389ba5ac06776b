import type { CacheSettings } from '../../config/options.ts'
import type { Fetch } from '../../hub/fetch.ts'
import type { Run } from '../store/leases.ts'
import type { Manifest } from './manifest.ts'

type Defaulted = 'onTooLarge' | 'validate' | 'adopt'

/** Without `onTooLarge`, `validate` and `adopt`: `keep`, `stat`, true. */
export interface CacheOptions extends Omit<CacheSettings, Defaulted>, Partial<Pick<CacheSettings, Defaulted>> {
  /** The live run that this cache works for: no other process removes what the run asks for. */
  run?: Run
  /** What the warm-up of this run found or downloaded. With it, a worker serves a hit without reading metadata. */
  manifest?: Manifest
  /** The `hub` folders of other Hugging Face caches from which verified files are adopted. */
  adoptFrom?: string[]
  /** What happens when the cache folder can't take a model: `temporary` serves it from a folder for this run alone. Default `error`. */
  whenUnusable?: 'temporary' | 'error'
  /** Milliseconds without enough progress after which a download counts as broken. Default 30,000. */
  stallMs?: number
  /** Ends calls that bring no signal of their own. */
  signal?: AbortSignal
  /** Called with one line for each decision. */
  onDebug?: (message: string) => void
  /** Called with one line for each problem that was worked around. */
  onWarning?: (message: string) => void
  /** Default: the environment of this process. */
  env?: Readonly<Record<string, string | undefined>>
  /** Default: the fetch that suits this process (`hub/find-fetch.ts`), whatever a test has stubbed. */
  fetch?: Fetch
}
