import { ModelCacheError } from '../model/errors.ts'

/** The settings from environment variables. An empty variable counts as unset. The values are checked later, as options. */
export interface EnvironmentSettings {
  cacheDir?: string
  mode?: string
  offline?: boolean
  maxSize?: string
  maxAge?: string
  debug: boolean
  /** True in continuous integration (`CI` set and not false). */
  ci: boolean
  /** HF_ENDPOINT, without a slash at the end. */
  hfEndpoint?: string
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Reads the variables that this package and the clients of the Hub share. Throws `INVALID_OPTION`. */
export function readEnvironment(env: Environment): EnvironmentSettings {
  const text = (name: string) => env[name]?.trim() || undefined
  return {
    cacheDir: text('MODEL_CACHE_DIR'),
    mode: text('MODEL_CACHE_MODE'),
    offline: strictBoolean('MODEL_CACHE_OFFLINE', text('MODEL_CACHE_OFFLINE')) ?? looseBoolean(text('HF_HUB_OFFLINE')),
    maxSize: text('MODEL_CACHE_MAX_SIZE'),
    maxAge: text('MODEL_CACHE_MAX_AGE'),
    debug: strictBoolean('MODEL_CACHE_DEBUG', text('MODEL_CACHE_DEBUG')) ?? false,
    ci: text('CI') !== undefined && !/^(0|false)$/i.test(text('CI') ?? ''),
    hfEndpoint: text('HF_ENDPOINT')?.replace(/\/+$/, ''),
  }
}

function strictBoolean(name: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined
  if (/^(1|true)$/i.test(value)) return true
  if (/^(0|false)$/i.test(value)) return false
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `Environment variable ${name}`,
    reason: `It was set to ${JSON.stringify(value)}.`,
    nextStep: 'Set it to 1, true, 0 or false, or unset it.',
  })
}

/** Reads a boolean as huggingface_hub does (constants.py): 1, on, yes and true are true; all other values are false. */
function looseBoolean(value: string | undefined): boolean | undefined {
  return value === undefined ? undefined : /^(1|on|yes|true)$/i.test(value)
}
