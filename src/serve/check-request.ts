import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Answer } from '../intercept/answer.ts'
import { refusal } from '../intercept/refusal.ts'
import { isLoopback } from '../model/endpoint.ts'

export interface Door {
  /** The address that the server listens on, as URLs write it. */
  address: string
  /** The host that the operator named. */
  hostname: string
  /** What clients have to send. Undefined: everybody may ask. */
  token: string | undefined
}

export interface Knock {
  method: string
  /** The request target, as it was sent. */
  target: string
  headers: IncomingHttpHeaders
}

const LONGEST_TARGET = 8192

/** Refuses a request for its method, its size, where it comes from, or its token. Undefined if it may be answered. Pure. */
export function refusedAtTheDoor({ method, target, headers }: Knock, door: Door): Answer | undefined {
  const no = (status: number, said: string, further: Record<string, string> = {}): Answer => {
    const answer = refusal({ status, said }, { isApi: target.startsWith('/api/') })
    return { ...answer, headers: { ...answer.headers, ...further } }
  }
  if (!['GET', 'HEAD', 'POST'].includes(method))
    return no(405, 'This server is read-only.', { Allow: 'GET, HEAD, POST' })
  if (target.length > LONGEST_TARGET) return no(414, 'The address is too long.')
  if (!isOwnName(headers.host, door)) return no(403, 'This server is not known by this host name.')
  if (isFromPage(headers)) return no(403, 'This server does not answer to web pages.')
  if (door.token === undefined || isSame(headers.authorization, `Bearer ${door.token}`)) return undefined
  // huggingface_hub takes a 401 with any other message for a repo that does not exist.
  const said = 'Invalid credentials in Authorization header'
  return no(401, said, { 'WWW-Authenticate': 'Bearer' })
}

/** A warning for the operator if other machines may ask without a token. */
export function openDoorWarning({ address, hostname, token }: Door): string | undefined {
  if (isLoopback(address) || token !== undefined) return undefined
  return `Everybody who can reach ${hostname} can read the public models of this cache. With --token, clients need a token.`
}

/**
 * False for a foreign name of a server on loopback. A page of the Internet could point its own name to 127.0.0.1, and would then read
 * answers of this server (DNS rebinding).
 */
function isOwnName(host: string | undefined, { address, hostname }: Door): boolean {
  if (!isLoopback(address)) return true
  const url = `http://${host}`
  if (host === undefined || !URL.canParse(url)) return false
  const asked = new URL(url).hostname
  return isLoopback(asked) || asked === hostname
}

/** True for a request that a page in a browser sends. Pages can't read the answers, but they could start downloads. */
function isFromPage(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site']
  return headers.origin !== undefined || (site !== undefined && site !== 'none')
}

/** Compares digests: the time that it takes does not tell how many characters are right. */
function isSame(given: string | undefined, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return given !== undefined && timingSafeEqual(digest(given), digest(expected))
}
