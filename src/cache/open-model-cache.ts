import { type ModelCacheOptions, resolveOptions } from '../config/options.ts'
import { ModelCache } from './model-cache.ts'

/** The options of the plugin that concern the cache itself, and where its messages go. */
export type OpenOptions = Pick<
  ModelCacheOptions,
  'cacheDir' | 'maxSize' | 'onTooLarge' | 'maxAge' | 'preset' | 'offline' | 'validate' | 'adopt' | 'hub'
> & {
  /** One line a decision. */
  onDebug?: (message: string) => void
  /** One line a problem that was worked around. Default: to stderr. */
  onWarning?: (message: string) => void
}

/** The cache that the plugin uses with the same options, for scripts. Throws `INVALID_OPTION`. */
export function openModelCache({ onDebug, onWarning = console.warn, ...options }: OpenOptions = {}): ModelCache {
  return new ModelCache({ ...resolveOptions(options, process.env, process.cwd()), onDebug, onWarning })
}
