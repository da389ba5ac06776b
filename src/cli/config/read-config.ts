import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import type { Options } from '../../config/options.ts'
import { systemCode } from '../../model/errors.ts'

/** What the Vitest config of this folder says. */
export interface VitestConfig {
  /** The project's root, as runs are recorded under. */
  root: string
  /** The config file; undefined where there is none. */
  file: string | undefined
  /** The options of the plugin; undefined where it is not in the config. */
  options: Options | undefined
  /** True when the tests are in projects, which may have configs of their own. */
  hasProjects: boolean
}

const EXTENSIONS = ['ts', 'mts', 'cts', 'js', 'mjs', 'cjs']
const NAMES = ['vitest.config', 'vite.config'].flatMap((name) => EXTENSIONS.map((end) => `${name}.${end}`))

/** Reads the Vitest config, by Vitest itself. Where there is no such file, Vitest is not even loaded. */
export async function readVitestConfig(): Promise<VitestConfig> {
  const root = process.cwd()
  const file = findConfigFile(root)
  const none = { root, file, options: undefined, hasProjects: false }
  if (file === undefined) return none
  const vitest = await import('vitest/node').catch((error) => {
    // The command line also works where Vitest is not installed.
    if (systemCode(error) === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  })
  if (!vitest) return none
  const resolved = await vitest.resolveConfig({ watch: false })
  // Vitest 4.1 gives Vite's config beside its own, 5 gives Vite's alone.
  const config: Pick<typeof resolved.viteConfig, 'plugins' | 'root' | 'test'> =
    Reflect.get(resolved, 'viteConfig') ?? resolved
  const plugin = config.plugins.find(({ name }) => name === 'vitest-model-cache')
  const hasProjects = config.test?.projects !== undefined
  return { root: config.root, file, options: plugin?.api?.options, hasProjects }
}

/** As Vitest looks for it: here, and in the folders above. */
function findConfigFile(from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = NAMES.map((name) => join(folder, name)).find((path) => existsSync(path))
    if (found !== undefined || folder === dirname(folder)) return found
  }
}
