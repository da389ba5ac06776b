import { type ModelCacheOptions, resolveOptions } from '../config/options.ts'
import { ModelCache } from './model-cache.ts'

/** The options of the plugin that concern the cache, and the callbacks for its messages. */
export type OpenOptions = Pick<
  ModelCacheOptions,
  | 'cacheDir'
  | 'maxSize'
  | 'onTooLarge'
  | 'maxAge'
  | 'packAfter'
  | 'compression'
  | 'preset'
  | 'offline'
  | 'validate'
  | 'load'
  | 'adopt'
  | 'lockfile'
  | 'frozen'
  | 'remote'
  | 'hub'
> & {
  /** Called with one line for each decision. */
  onDebug?: (message: string) => void
  /** Called with one line for each problem that was worked around. Default: writes it to stderr. */
  onWarning?: (message: string) => void
}

/** Opens the cache that the plugin uses with the same options, for scripts. Throws `INVALID_OPTION`. */
export function openModelCache({ onDebug, onWarning = console.warn, ...options }: OpenOptions = {}): ModelCache {
  return new ModelCache({ ...resolveOptions(options, process.env, process.cwd()), onDebug, onWarning })
}
