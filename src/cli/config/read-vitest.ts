import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import type { Options } from '../../config/options.ts'
import { systemCode } from '../../model/errors.ts'

/** The plugin's settings in the Vitest config of a folder. */
export interface VitestConfig {
  /** The project's root, which the records of runs name. */
  root: string
  /** The config file. Undefined if there is none. */
  file: string | undefined
  /** The options of the plugin. Undefined if the config does not have it. */
  options: Options | undefined
  /** True if the config has `projects`, which may have configs of their own. */
  hasProjects: boolean
}

const ADVICE_OFF = 'VITE_CONFIG_NATIVE_IGNORE_WARNING'
const EXTENSIONS = ['ts', 'mts', 'cts', 'js', 'mjs', 'cjs']
const NAMES = ['vitest.config', 'vite.config'].flatMap((name) => EXTENSIONS.map((end) => `${name}.${end}`))

/** Has Vitest read its config, or the config file `path`. Without a config file, Vitest is not loaded. */
export async function readVitestConfig(path?: string): Promise<VitestConfig> {
  const root = process.cwd()
  const file = path ?? findVitestConfig(root)
  const none = { root, file, options: undefined, hasProjects: false }
  if (file === undefined) return none
  const vitest = await import('vitest/node').catch((error) => {
    // The command line also works without Vitest.
    if (systemCode(error) === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  })
  if (!vitest) return none
  const resolved = await withoutAdvice(() => vitest.resolveConfig({ watch: false, config: path }))
  // Vitest 4.1 returns its own config and Vite's. Vitest 5 returns Vite's alone.
  const config: Pick<typeof resolved.viteConfig, 'plugins' | 'root' | 'test'> =
    Reflect.get(resolved, 'viteConfig') ?? resolved
  const plugin = config.plugins.find(({ name }) => name === 'vitest-model-cache')
  const hasProjects = config.test?.projects !== undefined
  return { root: config.root, file, options: plugin?.api?.options, hasProjects }
}

/** Vite advises on configs that its next version may read in another way. A test run prints this advice; a command needs not. */
async function withoutAdvice<T>(read: () => Promise<T>): Promise<T> {
  const before = process.env[ADVICE_OFF]
  process.env[ADVICE_OFF] ??= 'true'
  try {
    return await read()
  } finally {
    if (before === undefined) delete process.env[ADVICE_OFF]
  }
}

/** Looks where Vitest looks: in this folder and in the folders above. */
export function findVitestConfig(from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = NAMES.map((name) => join(folder, name)).find((path) => existsSync(path))
    if (found !== undefined || folder === dirname(folder)) return found
  }
}
