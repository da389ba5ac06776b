import { homedir, tmpdir } from 'node:os'
import { join, posix, win32 } from 'node:path'
import type { Environment } from './environment-variables.ts'

const NAME = 'vitest-model-cache'

/**
 * `vitest-model-cache` in the platform's cache folder. The names are those of the package `env-paths`, which is not used
 * because its import throws without a home folder. Without a home folder: a folder of this user in the temporary folder.
 */
export function defaultCacheFolder(
  env: Environment,
  platform: NodeJS.Platform = process.platform,
  home: string | undefined = homeFolder(),
): string {
  const { join } = platform === 'win32' ? win32 : posix
  if (platform === 'win32' && env.LOCALAPPDATA) return join(env.LOCALAPPDATA, NAME, 'Cache')
  if (platform !== 'win32' && platform !== 'darwin' && env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, NAME)
  if (home === undefined) return join(tmpdir(), `${NAME}-${process.getuid?.() ?? 'user'}`)
  if (platform === 'win32') return join(home, 'AppData', 'Local', NAME, 'Cache')
  return platform === 'darwin' ? join(home, 'Library', 'Caches', NAME) : join(home, '.cache', NAME)
}

/** The folder of huggingface_hub, as in its constants.py. Throws if it depends on the home folder and there is none. */
export function huggingFaceHome(env: Environment): string {
  return (
    (env.HF_HOME && withoutTilde(env.HF_HOME)) || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface')
  )
}

/** The user's own Hugging Face cache, which may not exist. Undefined if it depends on the home folder and there is none. */
export function huggingFaceCache(env: Environment): string | undefined {
  const named = env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE
  if (named) return withoutTilde(named)
  try {
    return join(huggingFaceHome(env), 'hub')
  } catch {
    return undefined
  }
}

/** Replaces a leading `~`, as Python's `expanduser`: the shell does not expand it in a variable that was set in quotes. */
export function withoutTilde(path: string): string {
  const home = homeFolder()
  return home !== undefined && (path === '~' || path.startsWith('~/')) ? join(home, path.slice(2)) : path
}

/** The home folder. Undefined for a user id that the system's user list does not have, as in some containers. */
export function homeFolder(): string | undefined {
  try {
    return homedir()
  } catch {
    return undefined
  }
}
