import type { UserRemote } from '../model/remote-object.ts'
import { parseDuration } from './units.ts'

export type RemoteMode = 'read' | 'read-write'

/** The option `remote`, if it is an object. */
export interface RemoteOptions {
  /** `s3://bucket/prefix`, `https://host/path` or `file:///mnt/share`. */
  url: string
  /** `read`: nothing is uploaded. Default: `read` in pull requests from forks and without rights to write, else `read-write`. */
  mode?: RemoteMode
  /** The time limit for all uploads after a run: milliseconds, or a text such as `60s` (the default). */
  timeout?: string | number
  /** Upload models that are not public, too. Default false. */
  uploadPrivate?: boolean
}

/** The remote of a cache. */
export interface RemoteSettings {
  /** The address. Undefined for the user's own remote. */
  url?: string
  /** The user's own remote. It never leaves the process that read the option. */
  store?: UserRemote
  /** Undefined if the user has not chosen it. */
  mode?: RemoteMode
  /** The time limit for all uploads after a run, in milliseconds. */
  timeoutMs: number
  uploadPrivate: boolean
}

/** The options that an S3 address may have in its query. */
export const S3_OPTIONS = ['endpoint', 'region', 'pathStyle']

const DEFAULT_TIMEOUT_MS = 60_000

/** True for a remote of the user's own: an object with the methods `get`, `put` and `has`. */
export function isUserRemote(input: unknown): input is UserRemote {
  const isObject = typeof input === 'object' && input !== null
  return isObject && ['get', 'put', 'has'].every((name) => typeof Reflect.get(input, name) === 'function')
}

/** The remote of the option, at the address of the variable MODEL_CACHE_REMOTE if that is set. Undefined without a remote. */
export function remoteSettings(
  given: RemoteOptions | UserRemote | string | false | undefined,
  variable: string | undefined,
): RemoteSettings | undefined {
  if (variable === 'off' || (variable === undefined && (given === undefined || given === false))) return undefined
  const own = isUserRemote(given) ? given : undefined
  const options = typeof given === 'object' && !isUserRemote(given) ? given : undefined
  const url = variable ?? (typeof given === 'string' ? given : options?.url)
  return {
    ...(url === undefined ? { store: own } : { url }),
    mode: options?.mode,
    timeoutMs: parseDuration(options?.timeout ?? DEFAULT_TIMEOUT_MS) ?? DEFAULT_TIMEOUT_MS,
    uploadPrivate: options?.uploadPrivate ?? false,
  }
}
