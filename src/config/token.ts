import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DEFAULT_ENDPOINT, isLoopback } from '../model/endpoint.ts'
import { type Environment, readEnvironment } from './environment-variables.ts'
import { huggingFaceHome } from './folders.ts'

export interface HubSettings {
  /** The Hub's origin and base path, without a slash at the end. */
  endpoint: string
  /** The option `hub.token`, for `endpoint` only. It never leaves the process that read the option. */
  token?: string
  /** The largest number of open connections. */
  concurrency: number
  /** The time limit for the download of one model, in milliseconds. Default: no limit. */
  timeoutMs?: number
  /** True if no token may be sent, because the client that the request comes from sent none. */
  isAnonymous?: boolean
}

/**
 * The token that may be sent to `hub.endpoint`: the option, else the token of the environment (HF_TOKEN, HF_TOKEN_PATH, the
 * file that `hf auth login` writes). The token of the environment is sent only to HF_ENDPOINT or huggingface.co, to which it
 * belongs. No token is sent over plain http, except to this machine.
 */
export async function findToken(hub: HubSettings, env: Environment): Promise<string | undefined> {
  if (hub.isAnonymous) return undefined
  const url = new URL(hub.endpoint)
  if (url.protocol !== 'https:' && !isLoopback(url.hostname)) return undefined
  // A pasted token, or one from a file, may end with a line break, which a header must not contain.
  const own = hub.token?.trim()
  if (own) return own
  const owners = [DEFAULT_ENDPOINT, readEnvironment(env).hfEndpoint]
  const belongs = owners.some(
    (owner) => owner !== undefined && URL.canParse(owner) && new URL(owner).origin === url.origin,
  )
  return belongs ? environmentToken(env) : undefined
}

/** Why a token is not sent: the endpoint uses plain http, or the token belongs to another endpoint. */
export type Withheld = 'plain http' | 'other endpoint'

/** Why the user's token is not sent. Undefined if it is sent, or if the user has none. */
export async function withheldToken(hub: HubSettings, env: Environment): Promise<Withheld | undefined> {
  if (hub.isAnonymous || (await findToken(hub, env))) return undefined
  if (!hub.token?.trim() && !(await environmentToken(env))) return undefined
  const { protocol, hostname } = new URL(hub.endpoint)
  return protocol !== 'https:' && !isLoopback(hostname) ? 'plain http' : 'other endpoint'
}

/** HF_TOKEN, HUGGING_FACE_HUB_TOKEN, or the token that `hf auth login` wrote. */
export async function environmentToken(env: Environment): Promise<string | undefined> {
  const direct = env.HF_TOKEN?.trim() || env.HUGGING_FACE_HUB_TOKEN?.trim()
  if (direct) return direct
  try {
    return (await readFile(tokenFile(env), 'utf8')).trim() || undefined
  } catch {
    // Without a readable file, the user is not logged in.
    return undefined
  }
}

/** The file in which `hf auth login` stores the token, as in huggingface_hub's constants.py. */
function tokenFile(env: Environment): string {
  return env.HF_TOKEN_PATH || join(huggingFaceHome(env), 'token')
}
