import { ModelCacheError } from '../model/errors.ts'
import { nearest } from '../model/nearest.ts'

const PREFIX = 'MODEL_CACHE_'
const SWITCHES = ['MODEL_CACHE_OFFLINE', 'MODEL_CACHE_FROZEN', 'MODEL_CACHE_DEBUG']
const TEXTS = [
  'MODEL_CACHE_DIR',
  'MODEL_CACHE_MAX_SIZE',
  'MODEL_CACHE_MAX_AGE',
  'MODEL_CACHE_WARM',
  'MODEL_CACHE_MAINTENANCE',
  'MODEL_CACHE_MODE',
  'MODEL_CACHE_LOAD',
  'MODEL_CACHE_THREADS',
  'MODEL_CACHE_REMOTE',
]
const SERVE_TOKEN = 'MODEL_CACHE_SERVE_TOKEN'
// Tokens, passwords and the key of the remote. They are read where they are used, and never stored in settings.
const SECRETS = [
  SERVE_TOKEN,
  'MODEL_CACHE_REMOTE_TOKEN',
  'MODEL_CACHE_REMOTE_USER',
  'MODEL_CACHE_REMOTE_PASSWORD',
  'MODEL_CACHE_REMOTE_KEY',
]
const VARIABLES = [...TEXTS, ...SECRETS, ...SWITCHES]

/** The settings from environment variables. An empty variable counts as unset. Texts are checked later, as options. */
export interface EnvironmentSettings {
  cacheDir?: string
  warm?: string
  maintenance?: string
  mode?: string
  offline?: boolean
  frozen?: boolean
  maxSize?: string
  maxAge?: string
  load?: string
  threads?: string
  /** The address of the remote. `off`: there is none. */
  remote?: string
  debug: boolean
  /** True in continuous integration: `CI` is set, and is neither 0 nor false. */
  ci: boolean
  /** HF_ENDPOINT, without slashes at the end. */
  hfEndpoint?: string
}

export type Environment = Readonly<Record<string, string | undefined>>

/** The variables whose values are checked as options. Slashes at the end of HF_ENDPOINT are removed. */
export function readTexts(
  env: Environment,
): Record<
  'cacheDir' | 'warm' | 'maintenance' | 'mode' | 'maxSize' | 'maxAge' | 'load' | 'threads' | 'remote' | 'hfEndpoint',
  string | undefined
> {
  return {
    cacheDir: textOf(env, 'MODEL_CACHE_DIR'),
    warm: textOf(env, 'MODEL_CACHE_WARM'),
    maintenance: textOf(env, 'MODEL_CACHE_MAINTENANCE'),
    mode: textOf(env, 'MODEL_CACHE_MODE'),
    maxSize: textOf(env, 'MODEL_CACHE_MAX_SIZE'),
    maxAge: textOf(env, 'MODEL_CACHE_MAX_AGE'),
    load: textOf(env, 'MODEL_CACHE_LOAD'),
    threads: textOf(env, 'MODEL_CACHE_THREADS'),
    remote: textOf(env, 'MODEL_CACHE_REMOTE'),
    hfEndpoint: textOf(env, 'HF_ENDPOINT')?.replace(/\/+$/, ''),
  }
}

/** Reads the variables of this package, and CI, HF_ENDPOINT and HF_HUB_OFFLINE. Throws `INVALID_OPTION` for a wrong boolean. */
export function readEnvironment(env: Environment): EnvironmentSettings {
  const [problem] = checkSwitches(env)
  if (problem) throw problem
  const ci = textOf(env, 'CI')
  return {
    ...readTexts(env),
    offline: switchOf(env, 'MODEL_CACHE_OFFLINE') ?? looseBoolean(textOf(env, 'HF_HUB_OFFLINE')),
    frozen: switchOf(env, 'MODEL_CACHE_FROZEN'),
    debug: switchOf(env, 'MODEL_CACHE_DEBUG') ?? false,
    ci: ci !== undefined && !/^(0|false)$/i.test(ci),
  }
}

/** The token that clients of the command `serve` have to send. Undefined if the variable is unset or empty. */
export function serveToken(env: Environment): string | undefined {
  return textOf(env, SERVE_TOKEN)
}

/** An error for each boolean variable with a wrong value. */
export function checkSwitches(env: Environment): ModelCacheError[] {
  return SWITCHES.filter((name) => switchOf(env, name) === undefined && textOf(env, name) !== undefined).map(
    (name) =>
      new ModelCacheError({
        code: 'INVALID_OPTION',
        asked: `Environment variable ${name}`,
        reason: `It was set to ${JSON.stringify(textOf(env, name))}.`,
        nextStep: 'Set it to 1, true, 0 or false, or unset it.',
      }),
  )
}

/** A warning about unknown MODEL_CACHE_* variables; undefined if there are none. */
export function warnOfUnknownVariables(env: Environment): string | undefined {
  const unknown = Object.keys(env).filter(
    (name) => name.startsWith(PREFIX) && !VARIABLES.includes(name) && textOf(env, name) !== undefined,
  )
  if (unknown.length === 0) return undefined
  const hints = unknown.map((name) => {
    const meant = nearest(
      name.slice(PREFIX.length),
      VARIABLES.map((each) => each.slice(PREFIX.length)),
    )
    return meant === undefined ? name : `${name} (did you mean ${PREFIX}${meant}?)`
  })
  const what = unknown.length === 1 ? 'This variable is unknown and has' : 'These variables are unknown and have'
  return `${what} no effect: ${hints.join(', ')}. The variables are ${VARIABLES.join(', ')}.`
}

/** The value of a boolean variable; undefined if it is not set, or neither true nor false. */
function switchOf(env: Environment, name: string): boolean | undefined {
  const value = textOf(env, name) ?? ''
  if (/^(1|true)$/i.test(value)) return true
  return /^(0|false)$/i.test(value) ? false : undefined
}

/** The trimmed value; undefined if the variable is unset or empty. */
function textOf(env: Environment, name: string): string | undefined {
  return env[name]?.trim() || undefined
}

/** Reads a boolean as huggingface_hub does (constants.py): 1, on, yes and true are true; all other values are false. */
function looseBoolean(value: string | undefined): boolean | undefined {
  return value === undefined ? undefined : /^(1|on|yes|true)$/i.test(value)
}
