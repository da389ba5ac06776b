import { ModelCache } from '../cache/model-cache.ts'
import { type Options, resolveOptions } from '../config/options.ts'
import { systemCode } from '../model/errors.ts'

export interface GlobalOptions {
  cacheDir?: string
}

/** The cache that the project's tests use: by the flag, the environment, the Vitest config, or the defaults. */
export async function openCache({ cacheDir }: GlobalOptions): Promise<{ cache: ModelCache; options: Options }> {
  if (cacheDir !== undefined) process.env.MODEL_CACHE_DIR = cacheDir
  const options = (await configuredOptions()) ?? resolveOptions({}, process.env, process.cwd())
  const note = (message: string) => console.error(message)
  const cache = new ModelCache({ ...options, onDebug: options.debug ? note : undefined, onWarning: note })
  return { cache, options }
}

/** The options of the plugin in the Vitest config of this folder; undefined where there is none. */
async function configuredOptions(): Promise<Options | undefined> {
  const vitest = await import('vitest/node').catch((error) => {
    // The command line also works where Vitest is not installed.
    if (systemCode(error) === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  })
  if (!vitest) return undefined
  const resolved = await vitest.resolveConfig({ watch: false })
  // Vitest 4.1 gives Vite's config beside its own, 5 gives Vite's alone.
  const { plugins }: Pick<typeof resolved.viteConfig, 'plugins'> = Reflect.get(resolved, 'viteConfig') ?? resolved
  const plugin = plugins.find(({ name }) => name === 'vitest-model-cache')
  return plugin?.api?.options
}
