// Config files and tests import this module. Tests evaluate it once for each test file, so it loads the code for config files only
// when that is called.
import { createRequire } from 'node:module'
import type { Config } from 'jest'
import type { ConfigWithModels } from './wire-config.ts'

export { models } from '../providers/models-of-test.ts'
export { defineProvider } from '../providers/slot.ts'
export type { ConfigWithModels } from './wire-config.ts'

type Wiring = typeof import('./wire-config.ts')

// The overload for functions is the first: TypeScript infers what a function returns only once.
/**
 * Adds the cache to a config of Jest: `export default withModelCache({ ...config, modelCache: { models: ['org/name'] } })`. The config may
 * also be a promise or a function, as in Jest. Throws `INVALID_OPTION` and `INVALID_MODEL`.
 */
export function withModelCache<Args extends unknown[]>(
  config: (...args: Args) => ConfigWithModels | Promise<ConfigWithModels>,
): (...args: Args) => Promise<Config>
export function withModelCache(config: ConfigWithModels): Config
export function withModelCache(config: Promise<ConfigWithModels>): Promise<Config>
export function withModelCache(
  config: ConfigWithModels | Promise<ConfigWithModels> | ((...args: unknown[]) => unknown),
): unknown {
  // A package of ES modules can be required since Node.js 20.19.
  const { wireConfig, configFolder }: Wiring = createRequire(import.meta.url)('./wire-config.mjs')
  const folder = configFolder()
  if (typeof config === 'function')
    return async (...args: unknown[]) => wireConfig((await config(...args)) as Config, folder)
  return config instanceof Promise ? config.then((given) => wireConfig(given, folder)) : wireConfig(config, folder)
}
