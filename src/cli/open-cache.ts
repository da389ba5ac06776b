import process from 'node:process'
import { ModelCache } from '../cache/model-cache.ts'
import { isOurs, isWritable } from '../cache/store/cache-folder.ts'
import { readEnvironment } from '../config/environment-variables.ts'
import { defaultCacheFolder } from '../config/folders.ts'
import { type Options, resolveOptions } from '../config/options.ts'
import { ModelCacheError } from '../model/errors.ts'
import { readTestConfig, type TestConfig } from './config/read-config.ts'
import { interrupted } from './interruption.ts'
import { printNotes } from './show/print.ts'

export interface GlobalOptions {
  cacheDir?: string
  json?: boolean
}

/** The flag of commands that warm or run. */
export interface FrozenFlag {
  /** Models that the lock file lacks are refused. */
  frozen?: boolean
}

/** Hands the flag `--frozen` on to the options, and to the tests that a command starts. */
export function applyFrozen({ frozen }: FrozenFlag): void {
  if (frozen) process.env.MODEL_CACHE_FROZEN = '1'
}

/** The setting that says where the cache is. */
export type Origin = '--cache-dir' | 'MODEL_CACHE_DIR' | 'the Vitest config' | 'the Jest config' | 'the default'

export interface OpenedCache {
  cache: ModelCache
  options: Options
  origin: Origin
  config: TestConfig | undefined
}

interface Needs {
  /** False for a command that only needs the place of the cache: it does not load the config where the place is known without it. */
  needsOptions?: boolean
  /** True for a command that changes the cache. */
  needsWriting?: boolean
  /** False for the command that makes the lock file: the Hub is asked for what is not locked yet. */
  usesLockFile?: boolean
}

/**
 * Opens the cache that the project's tests use: by the flag, the environment, the config of Vitest or Jest, or the defaults. Throws
 * `NOT_A_CACHE` for a folder that holds something else, `CACHE_FORMAT` for a newer cache, and `CACHE_UNUSABLE` for a
 * read-only one that the command has to change.
 */
export async function openCache(
  { cacheDir }: GlobalOptions,
  { needsOptions = true, needsWriting = false, usesLockFile = true }: Needs = {},
): Promise<OpenedCache> {
  if (cacheDir !== undefined) process.env.MODEL_CACHE_DIR = cacheDir
  const isPlaceKnown = readEnvironment(process.env).cacheDir !== undefined
  const config = isPlaceKnown && !needsOptions ? undefined : await readTestConfig()
  const options = config?.options ?? resolveOptions({}, process.env, process.cwd())
  const note = (message: string) => printNotes(message)
  const onDebug = options.debug ? note : undefined
  const withoutLock = usesLockFile ? {} : { lockfile: undefined, frozen: false }
  const cache = new ModelCache({ ...options, ...withoutLock, signal: interrupted, onDebug, onWarning: note })
  const { layout, refusal } = cache.context
  if (refusal) throw refusal
  if (needsWriting && !isWritable(layout)) throw readOnly(layout.directory)
  if (!isOurs(layout)) {
    // In a chunk that most commands do not need.
    const { writeMarkerAgain } = await import('../cache/store/locks/prepare-cache-folder.ts')
    await writeMarkerAgain(layout)
  }
  return {
    cache,
    options,
    config,
    origin: originOf(cacheDir, isPlaceKnown, options, config?.vitest?.options === options),
  }
}

function readOnly(directory: string): ModelCacheError {
  return new ModelCacheError({
    code: 'CACHE_UNUSABLE',
    asked: `Cache folder ${directory}`,
    reason: 'It is read-only for this user.',
    nextStep:
      'Run the command as a user who may write to it, or name another folder with --cache-dir. Nothing was changed.',
  })
}

export function originOf(
  flag: string | undefined,
  isPlaceKnown: boolean,
  { cacheDir }: Options,
  isOfVitest: boolean,
): Origin {
  if (flag !== undefined) return '--cache-dir'
  if (isPlaceKnown) return 'MODEL_CACHE_DIR'
  if (cacheDir === defaultCacheFolder(process.env)) return 'the default'
  return isOfVitest ? 'the Vitest config' : 'the Jest config'
}
