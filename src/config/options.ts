import { isAbsolute, resolve } from 'node:path'
import * as v from 'valibot'
import { DEFAULT_ENDPOINT, SHORT_ENDPOINT } from '../model/endpoint.ts'
import { ModelCacheError, showValue } from '../model/errors.ts'
import { type Model, type ModelSpec, parseModel } from '../model/model.ts'
import { type Environment, readEnvironment } from './environment-variables.ts'
import { defaultCacheFolder, withoutTilde } from './folders.ts'
import type { HubSettings } from './token.ts'
import { parseDuration, parseSize } from './units.ts'

export type Mode = 'integration' | 'unit'
export type Validation = 'stat' | 'digest' | 'none'

/** The options of `modelCache()`. Precedence: environment variable, option, preset, default. */
export interface ModelCacheOptions {
  /** The models to download before the tests. Default: the models that the last runs used. */
  models?: ModelSpec[]
  /** Default: `vitest-model-cache` in the platform's cache folder. Relative to Vitest's root. MODEL_CACHE_DIR. */
  cacheDir?: string
  /** Bytes, or a text such as `2GB` or `2GiB` (the default; both are 2 x 2^30 bytes). MODEL_CACHE_MAX_SIZE. */
  maxSize?: string | number
  /** A model larger than `maxSize`: `keep` (default) serves it and removes it after the run, `error` refuses it. */
  onTooLarge?: 'keep' | 'error'
  /** Milliseconds, or a text such as `7d` (the default): models unused for longer are removed. MODEL_CACHE_MAX_AGE. */
  maxAge?: string | number
  /** `dev`: 1 GiB, 3 days. `ci`: 5 GiB, 30 days; taken in CI when neither limit nor preset is given. */
  preset?: 'dev' | 'ci'
  /** `integration` (default): real models. `unit`: the mock of each provider, without files or network. MODEL_CACHE_MODE. */
  mode?: Mode
  /** No network: a miss is an error. MODEL_CACHE_OFFLINE, HF_HUB_OFFLINE. */
  offline?: boolean
  /**
   * The check of a cached file before it is served. `stat` (default): by size, modification time and inode, and by digest
   * when time or inode changed. `digest`: by its digest, once a run. `none`: no check.
   */
  validate?: Validation
  /** Take verified files from your own Hugging Face cache instead of downloading them. Default true. */
  adopt?: boolean
  hub?: {
    /** Default: HF_ENDPOINT, else https://huggingface.co. */
    endpoint?: string
    /** Sent to `endpoint` only, and used by the main process only: workers read HF_TOKEN. */
    token?: string
    /** The largest number of open connections, 1 to 64. Default 8. */
    concurrency?: number
    /** The time limit for the download of one model: milliseconds, or a text such as `1h` (the default). */
    timeout?: string | number
  }
  /**
   * Serve requests to the Hub from the cache, in tests and in the processes that they start: `pipeline()` of transformers.js,
   * `fetch()`, @huggingface/hub. Default true. `hosts` are further origins to serve.
   */
  intercept?: boolean | { hosts?: string[] }
  /** Modules that call `defineProvider`, relative to Vitest's root. */
  providers?: string[]
  /** `false` prints and writes nothing. */
  report?:
    | false
    | {
        /** Write the report as JSON to this file, relative to Vitest's root. */
        outputFile?: string
        /** The hit rate to reach, 0 to 1. Default 0.8. */
        target?: number
        /** In GitHub Actions, add a summary to the job and warnings to the run. Default true. */
        summary?: boolean
      }
}

/** The settings of the engine. */
export interface CacheSettings {
  /** Absolute path of the cache folder. */
  cacheDir: string
  hub: HubSettings
  offline: boolean
  /** Bytes. */
  maxSize: number
  /** A model that is larger than `maxSize`: `keep` serves it and removes it after the run, `error` refuses it. */
  onTooLarge: 'keep' | 'error'
  /** Milliseconds. Entries that were unused for longer are removed, and older refs are resolved again. */
  maxAge: number
  /** The check of a cached file before it is served. */
  validate: Validation
  /** True when verified files of the user's own Hugging Face cache are adopted. */
  adopt: boolean
}

export interface Options extends CacheSettings {
  models: Model[]
  mode: Mode
  /** Origins with base path. Requests to them are served from the cache. Empty: none are. */
  intercept: string[]
  providers: string[]
  report: false | { outputFile?: string; target: number; summary: boolean }
  debug: boolean
}

const PRESETS = { dev: { maxSize: '1GB', maxAge: '3d' }, ci: { maxSize: '5GB', maxAge: '30d' } } as const
const DEFAULTS = { maxSize: '2GB', maxAge: '7d', timeout: '1h' } as const
const SIZE = 'a size such as "2GB" or "500MB", or a number of bytes'
const DURATION = 'a duration such as "7d", "12h" or "30m", or a number of milliseconds'

const text = v.pipe(v.string('a string'), v.nonEmpty('a string that is not empty'))
const size = v.pipe(
  v.union([v.string(), v.number()], SIZE),
  v.check((input) => parseSize(input) !== undefined, SIZE),
)
const duration = v.pipe(
  v.union([v.string(), v.number()], DURATION),
  v.check((input) => parseDuration(input) !== undefined, DURATION),
)
const TIMEOUT = 'a duration greater than 0 such as "1h" or "10m", or a number of milliseconds'
const timeout = v.pipe(
  v.union([v.string(), v.number()], TIMEOUT),
  v.check((input) => (parseDuration(input) ?? 0) > 0, TIMEOUT),
)
const ENDPOINT = 'an http or https URL without user name, query or fragment'
const endpoint = v.pipe(v.string(ENDPOINT), v.check(isEndpoint, ENDPOINT))
const HUB = '`endpoint`, `token`, `concurrency`, `timeout`'
const concurrency = v.pipe(
  v.number('a whole number from 1 to 64'),
  v.check((input) => Number.isInteger(input) && input >= 1 && input <= 64, 'a whole number from 1 to 64'),
)
const HOST = 'a list of origins such as "https://mirror.example"'
const host = v.pipe(v.string(HOST), v.check(isEndpoint, HOST))
const target = v.pipe(
  v.number('a number from 0 to 1'),
  v.check((input) => input >= 0 && input <= 1, 'a number from 0 to 1'),
)
const Schema = v.strictObject(
  {
    models: v.optional(v.array(v.unknown(), 'a list of models')),
    cacheDir: v.optional(text),
    maxSize: v.optional(size),
    onTooLarge: v.optional(v.picklist(['keep', 'error'], '"keep" or "error"')),
    maxAge: v.optional(duration),
    preset: v.optional(v.picklist(['dev', 'ci'], '"dev" or "ci"')),
    mode: v.optional(v.picklist(['integration', 'unit'], '"integration" or "unit"')),
    offline: v.optional(v.boolean('true or false')),
    validate: v.optional(v.picklist(['stat', 'digest', 'none'], '"stat", "digest" or "none"')),
    adopt: v.optional(v.boolean('true or false')),
    hub: v.optional(
      v.strictObject(
        {
          endpoint: v.optional(endpoint),
          token: v.optional(text),
          concurrency: v.optional(concurrency),
          timeout: v.optional(timeout),
        },
        `an object with ${HUB}`,
      ),
    ),
    intercept: v.optional(
      v.union(
        [v.boolean(), v.strictObject({ hosts: v.optional(v.array(host)) })],
        'true, false, or an object with `hosts` (a list of origins such as "https://mirror.example")',
      ),
    ),
    providers: v.optional(v.array(text, 'a list of module paths')),
    report: v.optional(
      v.union(
        [
          v.literal(false),
          v.strictObject({
            outputFile: v.optional(text),
            target: v.optional(target),
            summary: v.optional(v.boolean()),
          }),
        ],
        'false, or an object with `outputFile` (a path), `target` (a number from 0 to 1) and `summary` (true or false)',
      ),
    ),
  },
  'an object of options',
)

const SOURCES: Record<string, string> = {
  'hub.endpoint': 'HF_ENDPOINT',
  cacheDir: 'MODEL_CACHE_DIR',
  mode: 'MODEL_CACHE_MODE',
  maxSize: 'MODEL_CACHE_MAX_SIZE',
  maxAge: 'MODEL_CACHE_MAX_AGE',
}

/**
 * Checks the options and the environment and fills in presets and defaults. Relative paths are taken from `root`.
 * Throws `INVALID_OPTION` naming the option, what was given and what is accepted, and `INVALID_MODEL`.
 */
export function resolveOptions(input: unknown, env: Environment, root: string): Options {
  const given = check(input ?? {}, (option) => `Option \`${option}\` of modelCache()`)
  const environment = readEnvironment(env)
  const { cacheDir, mode, maxSize, maxAge } = check(
    {
      cacheDir: environment.cacheDir,
      mode: environment.mode,
      maxSize: environment.maxSize,
      maxAge: environment.maxAge,
      hub: { endpoint: environment.hfEndpoint },
    },
    (option) => `Environment variable ${SOURCES[option] ?? option}`,
  )
  const limitsGiven = (given.maxSize ?? given.maxAge ?? maxSize ?? maxAge) !== undefined
  const preset = given.preset ?? (environment.ci && !limitsGiven ? 'ci' : undefined)
  const limits = { ...DEFAULTS, ...(preset && PRESETS[preset]) }
  const report = given.report ?? {}
  const hubEndpoint = withoutSlash(given.hub?.endpoint ?? environment.hfEndpoint ?? DEFAULT_ENDPOINT)
  return {
    models: (given.models ?? []).map(parseModel),
    cacheDir: cacheFolder(env, cacheDir, given.cacheDir, root),
    maxSize: parseSize(maxSize ?? given.maxSize ?? limits.maxSize) ?? 0,
    onTooLarge: given.onTooLarge ?? 'keep',
    maxAge: parseDuration(maxAge ?? given.maxAge ?? limits.maxAge) ?? 0,
    mode: mode ?? given.mode ?? 'integration',
    offline: environment.offline ?? given.offline ?? false,
    validate: given.validate ?? 'stat',
    adopt: given.adopt ?? true,
    hub: {
      endpoint: hubEndpoint,
      token: given.hub?.token,
      concurrency: given.hub?.concurrency ?? 8,
      timeoutMs: parseDuration(given.hub?.timeout ?? DEFAULTS.timeout) ?? 0,
    },
    intercept: interceptedBases(given.intercept ?? true, [hubEndpoint, environment.hfEndpoint]),
    providers: given.providers ?? [],
    report: report && {
      outputFile: report.outputFile === undefined ? undefined : resolve(root, report.outputFile),
      target: report.target ?? 0.8,
      summary: report.summary ?? true,
    },
    debug: environment.debug,
  }
}

function interceptedBases(intercept: boolean | { hosts?: string[] }, own: (string | undefined)[]): string[] {
  if (intercept === false) return []
  const { hosts = [] } = intercept === true ? {} : intercept
  const bases = [DEFAULT_ENDPOINT, SHORT_ENDPOINT, ...own, ...hosts].flatMap((base) => base ?? [])
  return [...new Set(bases.map(withoutSlash))]
}

function withoutSlash(endpoint: string): string {
  return endpoint.replace(/\/+$/, '')
}

/** The part of the options that the engine needs. */
export function cacheSettings(options: Options): CacheSettings {
  const { cacheDir, hub, offline, maxSize, onTooLarge, maxAge, validate, adopt } = options
  return { cacheDir, hub, offline, maxSize, onTooLarge, maxAge, validate, adopt }
}

function cacheFolder(env: Environment, variable: string | undefined, option: string | undefined, root: string): string {
  const chosen = variable ?? option
  if (chosen === undefined) return defaultCacheFolder(env)
  const expanded = withoutTilde(chosen)
  return isAbsolute(expanded) ? expanded : resolve(variable === undefined ? root : process.cwd(), expanded)
}

function check(input: unknown, name: (option: string) => string): v.InferOutput<typeof Schema> {
  // valibot accepts an array as an object without keys.
  const result = v.safeParse(Schema, Array.isArray(input) ? undefined : input)
  if (result.success) return result.output
  const issue = result.issues[0]
  const option = v.getDotPath(issue) ?? ''
  const unknown = issue.type === 'strict_object' && issue.expected === 'never'
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: option === '' ? 'The options of modelCache()' : name(option),
    reason: unknown ? 'There is no such option.' : `It was set to ${show(issue.input, option)}.`,
    nextStep: unknown ? `The options are ${siblings(option)}.` : `Accepted: ${issue.message}.`,
  })
}

/** The names of the options on the level of the unknown one. */
function siblings(option: string): string {
  if (option.startsWith('hub.')) return HUB.replaceAll(/`(?=[a-z])/g, '`hub.')
  return Object.keys(Schema.entries)
    .map((key) => `\`${key}\``)
    .join(', ')
}

/** Refuses a URL with a password: errors would print it, and fetch refuses it anyway. */
function isEndpoint(input: string): boolean {
  if (!URL.canParse(input)) return false
  const { protocol, username, password, search, hash } = new URL(input)
  return /^https?:$/.test(protocol) && username + password + search + hash === ''
}

function show(value: unknown, option: string): string {
  const mayHoldSecret =
    option === 'hub' ||
    option === 'hub.token' ||
    (typeof value === 'string' && (value.includes('@') || (option === 'hub.endpoint' && /[?#]/.test(value))))
  return mayHoldSecret ? 'a value that is not shown here, as it may hold a secret' : showValue(value)
}
