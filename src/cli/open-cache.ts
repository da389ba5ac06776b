import process from 'node:process'
import { ModelCache } from '../cache/model-cache.ts'
import { markAgain } from '../cache/store/prepare-cache-folder.ts'
import { readEnvironment } from '../config/environment-variables.ts'
import { defaultCacheFolder } from '../config/folders.ts'
import { type Options, resolveOptions } from '../config/options.ts'
import { readVitestConfig, type VitestConfig } from './config.ts'
import { interrupted } from './interruption.ts'
import { printNotes } from './show/print.ts'

export interface GlobalOptions {
  cacheDir?: string
  json?: boolean
}

/** What says where the cache is. */
export type Origin = '--cache-dir' | 'MODEL_CACHE_DIR' | 'the Vitest config' | 'the default'

export interface OpenedCache {
  cache: ModelCache
  options: Options
  origin: Origin
  config: VitestConfig | undefined
}

/**
 * The cache that the project's tests use: by the flag, the environment, the Vitest config, or the defaults. Who needs
 * nothing but its place does not wait for the Vitest config where that is known without it. Throws `NOT_A_CACHE` for a
 * folder that holds something else, `CACHE_FORMAT` for a newer cache.
 */
export async function openCache(
  { cacheDir }: GlobalOptions,
  { needsOptions = true }: { needsOptions?: boolean } = {},
): Promise<OpenedCache> {
  if (cacheDir !== undefined) process.env.MODEL_CACHE_DIR = cacheDir
  const isPlaceKnown = readEnvironment(process.env).cacheDir !== undefined
  const config = isPlaceKnown && !needsOptions ? undefined : await readVitestConfig()
  const options = config?.options ?? resolveOptions({}, process.env, process.cwd())
  const note = (message: string) => printNotes(message)
  const onDebug = options.debug ? note : undefined
  const cache = new ModelCache({ ...options, signal: interrupted, onDebug, onWarning: note })
  const { layout, refusal } = cache.context
  if (refusal) throw refusal
  await markAgain(layout)
  return { cache, options, config, origin: originOf(cacheDir, isPlaceKnown, options) }
}

export function originOf(flag: string | undefined, isPlaceKnown: boolean, { cacheDir }: Options): Origin {
  if (flag !== undefined) return '--cache-dir'
  if (isPlaceKnown) return 'MODEL_CACHE_DIR'
  return cacheDir === defaultCacheFolder(process.env) ? 'the default' : 'the Vitest config'
}
