import { isAbsolute, resolve } from 'node:path'
import { DEFAULT_ENDPOINT, SHORT_ENDPOINT } from '../model/endpoint.ts'
import { type Model, type ModelSpec, parseModel } from '../model/model.ts'
import type { UserRemote } from '../model/remote-object.ts'
import { type CheckedOptions, checkOptions, oneError, problemsIn } from './check-options.ts'
import { checkSwitches, type Environment, readEnvironment, readTexts } from './environment-variables.ts'
import { defaultCacheFolder, withoutTilde } from './folders.ts'
import { hasLockFile } from './lock-file.ts'
import { type RemoteOptions, type RemoteSettings, remoteSettings } from './remote-settings.ts'
import type { HubSettings } from './token.ts'
import { parseDuration, parseSize } from './units.ts'

export type Mode = 'integration' | 'unit'
export type Validation = 'stat' | 'digest' | 'none'
export type Loading = 'mapped' | 'plain'
export type Compression = 'auto' | 'none'
export type Threads = 'shared' | 'as-is'
export type Maintenance = 'background' | 'brief' | 'run' | 'none'
export type Warm = 'predicted' | 'declared' | 'all' | 'none'

/** The options of `modelCache()`, and of `withModelCache()` for Jest. Precedence: environment variable, option, preset, default. */
export interface ModelCacheOptions {
  /** The models to download before the tests. The models that the last runs used are downloaded too: see `warm`. */
  models?: ModelSpec[]
  /**
   * What is downloaded before the tests. `predicted` (default): what earlier runs of the queued test files used, and declared models
   * that no test file was seen to use. If a queued file is new, or if its tests did not all run and pass yet: all declared models too.
   * Where it is not known which test files will run: the declared models and what the last runs used.
   * `declared`: the declared models. `all`: the declared models and all that earlier runs used. `none`: nothing, so that a model is
   * downloaded when a test asks for it. MODEL_CACHE_WARM.
   */
  warm?: Warm
  /** Default: `vitest-model-cache` in the platform's cache folder. Relative to the project's root. MODEL_CACHE_DIR. */
  cacheDir?: string
  /** Bytes, or a text such as `2GB` or `2GiB` (the default; both are 2 x 2^30 bytes). MODEL_CACHE_MAX_SIZE. */
  maxSize?: string | number
  /** A model larger than `maxSize`: `keep` (default) serves it and removes it after the run, `error` refuses it. */
  onTooLarge?: 'keep' | 'error'
  /** Milliseconds, or a text such as `7d` (the default): models unused for longer are removed. MODEL_CACHE_MAX_AGE. */
  maxAge?: string | number
  /**
   * Models that were not used for this long are packed after a run: stored in compressed chunks that all models share, and restored when
   * they are asked for. Milliseconds, or a text such as `2d`. Default `false`: only the command `pack` packs.
   */
  packAfter?: string | number | false
  /** How packed models are compressed. `auto` (default): where it saves at least 5%. `none`: never. */
  compression?: Compression
  /**
   * When models are removed for age and size, models are packed, and leftovers are removed. `background` (default): for some 0.1 s at the
   * end of a run; another process does the rest, and stops when a run starts. `brief` (default in CI): without that process, the next run
   * goes on. `run`: all of it at the end of the run, up to some seconds. `none`: never. MODEL_CACHE_MAINTENANCE.
   */
  maintenance?: Maintenance
  /** `dev`: 1 GiB, 3 days. `ci`: 5 GiB, 30 days; taken in CI when neither limit nor preset is given. */
  preset?: 'dev' | 'ci'
  /** `integration` (default): real models. `unit`: the mock of each provider, without files or network. MODEL_CACHE_MODE. */
  mode?: Mode
  /** No network: a miss is an error. MODEL_CACHE_OFFLINE, HF_HUB_OFFLINE. */
  offline?: boolean
  /**
   * The check of a cached file before it is served. `stat` (default): by size, modification time and inode, and by digest
   * when time or inode changed. `digest`: by its digest, once in each process; workers do not repeat the check of the warm-up.
   * `none`: no check.
   */
  validate?: Validation
  /**
   * How ONNX Runtime loads a cached ONNX file. `mapped` (default): it maps the weights into memory, and all workers share that
   * memory. `plain`: it reads the file. MODEL_CACHE_LOAD.
   */
  load?: Loading
  /**
   * How the threads of ONNX Runtime wait for work, in sessions that set nothing about threads themselves. `shared` (default): they leave
   * the processor to other workers and sessions. `as-is`: they spin, as ONNX Runtime has them do. MODEL_CACHE_THREADS.
   */
  threads?: Threads
  /** Take verified files from your own Hugging Face cache instead of downloading them. Default true. */
  adopt?: boolean
  /**
   * The lock file, relative to the project's root (default `models.lock.json`): models that it states are taken at its commits and with its
   * digests. A project that has none uses the one of the run's root. `false`: none is used.
   */
  lockfile?: string | false
  /** Models that the lock file lacks are refused. Default: true in CI where there is a lock file. MODEL_CACHE_FROZEN. */
  frozen?: boolean
  /**
   * A cache that machines share: an address such as `s3://bucket/prefix`, `https://host/path` or `file:///mnt/share`, an object with `url`,
   * or a remote of your own by `defineRemote`. MODEL_CACHE_REMOTE overrides the address; `off` is none.
   */
  remote?: string | RemoteOptions | UserRemote | false
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
  /** Modules that call `defineProvider`, relative to the project's root: Vitest's `root` or Jest's `rootDir`. */
  providers?: string[]
  /** `false`: no report is printed, and no report file is written. */
  report?:
    | false
    | {
        /** Write the report as JSON to this file, relative to the project's root. */
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
  /** Milliseconds: models that were not used for longer are packed after a run. Undefined: none is. */
  packAfter: number | undefined
  /** How packed models are compressed: where it saves something, or not. */
  compression: Compression
  /** When the cache is maintained. */
  maintenance: Maintenance
  /** The check of a cached file before it is served. */
  validate: Validation
  /** How ONNX Runtime loads a cached ONNX file: by mapping its weights, or by reading it. */
  load: Loading
  /** True when verified files of the user's own Hugging Face cache are adopted. */
  adopt: boolean
  /** Absolute path of the lock file, which may not exist. Undefined when none is used. */
  lockfile: string | undefined
  /** True when models that the lock file lacks are refused. */
  frozen: boolean
  /** The cache that machines share. Undefined when there is none. */
  remote?: RemoteSettings
}

export interface Options extends CacheSettings {
  models: Model[]
  /** What is downloaded before the tests. */
  warm: Warm
  mode: Mode
  /** Origins with base path: requests to them are served from the cache. If the list is empty, no request is. */
  intercept: string[]
  /** How the threads of ONNX Runtime wait for work. */
  threads: Threads
  providers: string[]
  report: false | { outputFile?: string; target: number; summary: boolean }
  debug: boolean
}

const PRESETS = { dev: { maxSize: '1GB', maxAge: '3d' }, ci: { maxSize: '5GB', maxAge: '30d' } } as const
const LOCK_FILE = 'models.lock.json'
const DEFAULTS = { maxSize: '2GB', maxAge: '7d', timeout: '1h' } as const
const SOURCES: Record<string, string> = {
  'hub.endpoint': 'HF_ENDPOINT',
  cacheDir: 'MODEL_CACHE_DIR',
  warm: 'MODEL_CACHE_WARM',
  maintenance: 'MODEL_CACHE_MAINTENANCE',
  mode: 'MODEL_CACHE_MODE',
  maxSize: 'MODEL_CACHE_MAX_SIZE',
  maxAge: 'MODEL_CACHE_MAX_AGE',
  load: 'MODEL_CACHE_LOAD',
  threads: 'MODEL_CACHE_THREADS',
  remote: 'MODEL_CACHE_REMOTE',
}

/**
 * Checks the options and the environment and fills in presets and defaults. Relative paths in options are taken from `root`; a
 * relative MODEL_CACHE_DIR is taken from the working directory. `runRoot` is the root of the whole run, whose lock file a project
 * without one uses. `owner` is what has the options, in messages.
 * Throws one error that names each wrong setting, what was given, and what is accepted. Its code is `INVALID_OPTION`, or
 * `INVALID_MODEL` if only models are wrong.
 */
export function resolveOptions(
  input: unknown,
  env: Environment,
  root: string,
  runRoot = root,
  owner = 'modelCache()',
): Options {
  const { hfEndpoint, remote, ...texts } = readTexts(env)
  const options = checkOptions(input ?? {}, (option) =>
    option === '' ? `The options of ${owner}` : `Option \`${option}\` of ${owner}`,
  )
  const variables = checkOptions(
    { ...texts, remote: remote === 'off' ? false : remote, hub: { endpoint: hfEndpoint } },
    (option) => `Environment variable ${SOURCES[option] ?? option}`,
  )
  const models: unknown = Reflect.get(Object(input), 'models')
  const problems = [
    ...options.problems,
    ...problemsIn(Array.isArray(models) ? models.map((model) => () => parseModel(model)) : []),
    ...variables.problems,
    ...checkSwitches(env),
  ]
  if (!options.checked || !variables.checked || problems.length > 0) throw oneError(problems)
  return complete(options.checked, variables.checked, env, [root, runRoot])
}

/** Fills in presets and defaults. Everything was checked. */
function complete(
  given: CheckedOptions,
  variables: CheckedOptions,
  env: Environment,
  [root, runRoot]: [root: string, runRoot: string],
): Options {
  const environment = readEnvironment(env)
  const { cacheDir, warm, maintenance, mode, maxSize, maxAge, load, threads } = variables
  const limitsGiven = (given.maxSize ?? given.maxAge ?? maxSize ?? maxAge) !== undefined
  const preset = given.preset ?? (environment.ci && !limitsGiven ? 'ci' : undefined)
  const limits = { ...DEFAULTS, ...(preset && PRESETS[preset]) }
  const report = given.report ?? {}
  const lockfile = given.lockfile === false ? undefined : chosenLockFile(given.lockfile ?? LOCK_FILE, root, runRoot)
  const hubEndpoint = withoutSlash(given.hub?.endpoint ?? environment.hfEndpoint ?? DEFAULT_ENDPOINT)
  return {
    models: (given.models ?? []).map(parseModel),
    warm: warm ?? given.warm ?? 'predicted',
    cacheDir: cacheFolder(env, cacheDir, given.cacheDir, root),
    maxSize: parseSize(maxSize ?? given.maxSize ?? limits.maxSize) ?? 0,
    onTooLarge: given.onTooLarge ?? 'keep',
    maxAge: parseDuration(maxAge ?? given.maxAge ?? limits.maxAge) ?? 0,
    packAfter: given.packAfter === undefined || given.packAfter === false ? undefined : parseDuration(given.packAfter),
    compression: given.compression ?? 'auto',
    maintenance: maintenance ?? given.maintenance ?? (environment.ci || preset === 'ci' ? 'brief' : 'background'),
    mode: mode ?? given.mode ?? 'integration',
    offline: environment.offline ?? given.offline ?? false,
    validate: given.validate ?? 'stat',
    load: load ?? given.load ?? 'mapped',
    adopt: given.adopt ?? true,
    lockfile,
    remote: remoteSettings(given.remote, environment.remote),
    frozen: environment.frozen ?? given.frozen ?? (environment.ci && lockfile !== undefined && hasLockFile(lockfile)),
    hub: {
      endpoint: hubEndpoint,
      token: given.hub?.token,
      concurrency: given.hub?.concurrency ?? 8,
      timeoutMs: parseDuration(given.hub?.timeout ?? DEFAULTS.timeout) ?? 0,
    },
    intercept: interceptedBases(given.intercept ?? true, [hubEndpoint, environment.hfEndpoint]),
    threads: threads ?? given.threads ?? 'shared',
    providers: given.providers ?? [],
    report: report && {
      outputFile: report.outputFile === undefined ? undefined : resolve(root, report.outputFile),
      target: report.target ?? 0.8,
      summary: report.summary ?? true,
    },
    debug: environment.debug,
  }
}

/** The lock file of the project, else that of the run. Projects without a file of their own have the same settings, and share a cache. */
function chosenLockFile(name: string, root: string, runRoot: string): string {
  const own = resolve(root, name)
  return hasLockFile(own) ? own : resolve(runRoot, name)
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
  const { cacheDir, hub, offline, maxSize, onTooLarge, maxAge, packAfter, compression, maintenance } = options
  const { validate, load, adopt, lockfile, frozen, remote } = options
  const kept = { cacheDir, hub, offline, maxSize, onTooLarge, maxAge, packAfter, compression, maintenance }
  return { ...kept, validate, load, adopt, lockfile, frozen, remote }
}

function cacheFolder(env: Environment, variable: string | undefined, option: string | undefined, root: string): string {
  const chosen = variable ?? option
  if (chosen === undefined) return defaultCacheFolder(env)
  const expanded = withoutTilde(chosen)
  return isAbsolute(expanded) ? expanded : resolve(variable === undefined ? root : process.cwd(), expanded)
}
