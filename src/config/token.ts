import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DEFAULT_ENDPOINT } from '../model/endpoint.ts'
import { type Environment, readEnvironment } from './environment-variables.ts'
import { huggingFaceHome } from './folders.ts'

export interface HubSettings {
  /** The Hub's origin and base path, no slash at the end. */
  endpoint: string
  /** The `hub.token` option: for `endpoint` alone. Never leaves the process in which the option was read. */
  token?: string
  /** How many connections are open at a time. */
  concurrency: number
  /** How long one model may take to come, milliseconds. Default: no limit. */
  timeoutMs?: number
  /** True where no token at all may be sent: for requests of somebody who has none. */
  isAnonymous?: boolean
}

/**
 * The token that may be sent to `hub.endpoint`: the option, else the environment's (HF_TOKEN, HF_TOKEN_PATH, the file
 * that `hf auth login` writes), and the environment's only when the endpoint is the one that it belongs to, HF_ENDPOINT
 * or huggingface.co. No token travels over plain http, except to this machine.
 */
export async function findToken(hub: HubSettings, env: Environment): Promise<string | undefined> {
  if (hub.isAnonymous) return undefined
  const url = new URL(hub.endpoint)
  if (url.protocol !== 'https:' && !isLoopback(url.hostname)) return undefined
  // As one is pasted, or read from a file: no header may hold the line's end.
  const own = hub.token?.trim()
  if (own) return own
  const owners = [DEFAULT_ENDPOINT, readEnvironment(env).hfEndpoint]
  const belongs = owners.some(
    (owner) => owner !== undefined && URL.canParse(owner) && new URL(owner).origin === url.origin,
  )
  return belongs ? environmentToken(env) : undefined
}

/** Why a token that there is may not be sent: not over plain http, or it is for another endpoint. */
export type Withheld = 'plain http' | 'other endpoint'

/** Undefined where a token is sent, or there is none. */
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
    // No file, or one that can't be read: nobody logged in.
    return undefined
  }
}

/** Where `hf auth login` keeps the token: huggingface_hub's constants.py. */
function tokenFile(env: Environment): string {
  return env.HF_TOKEN_PATH || join(huggingFaceHome(env), 'token')
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}
