import type { Withheld } from '../config/token.ts'
import { messageOf, nameOf, systemCode } from '../model/errors.ts'
import { ConnectionError } from './connection-error.ts'
import type { Answer, Fetch } from './fetch.ts'
import { hubMessage } from './hub-message.ts'
import { isRefused, noteRefused } from './refused-tokens.ts'
import { retryAfterMs } from './retry-after.ts'

/** What a caller hands over to reach a Hub. */
export interface HubAccess {
  /** Origin and base path, no slash at the end. */
  endpoint: string
  fetch: Fetch
  /** Sent to the endpoint's origin alone: fetch drops the header when a redirect leaves the origin (WHATWG fetch, 4.4). */
  token?: string
  /** Why a token that there is may not be sent. */
  withheld?: Withheld
  /** Told how long a failed request of the API is waited with and why it failed, and with undefined that it is made again. */
  onWait?: (waitMs: number | undefined, failure?: unknown) => void
}

/** What became of a token: there was none to send, it was sent, or the endpoint refused it and was asked without it. */
export type TokenUse = 'none' | 'sent' | 'refused'

interface HttpErrorParts {
  status: number
  url: string
  /** The Hub's `X-Error-Code`. */
  errorCode?: string
  retryAfterMs?: number
  token?: TokenUse
  /** The Hub's own words, in one printable line. */
  said?: string
}

/** An answer that is no success. */
export class HubHttpError extends Error {
  override readonly name = 'HubHttpError'
  readonly status: number
  readonly url: string
  readonly errorCode: string | undefined
  readonly retryAfterMs: number | undefined
  readonly token: TokenUse
  readonly said: string | undefined

  constructor({ status, url, errorCode, retryAfterMs, token = 'none', said }: HttpErrorParts) {
    super(`HTTP ${status} from ${url}`)
    this.status = status
    this.url = url
    this.errorCode = errorCode
    this.retryAfterMs = retryAfterMs
    this.token = token
    this.said = said
  }
}

/** A fetch that sends the token, and throws `HubHttpError` for every answer that is no success. */
export function hubFetch(hub: HubAccess, signal?: AbortSignal): Fetch {
  return async (input, init) => {
    const { response, token } = await withToken(hub, new URL(input).origin, (authorization) => {
      const headers = { ...init?.headers, 'User-Agent': 'vitest-model-cache', ...authorization }
      return hub.fetch(input, { ...init, headers, signal: signal ?? init?.signal })
    })
    if (response.ok) return response
    const { status, headers } = response
    throw new HubHttpError({
      status,
      // Without the query: that of a CDN is a signature, which opens the file to everybody who reads a log.
      url: response.url.split('?', 1)[0] ?? '',
      errorCode: headers.get('X-Error-Code') ?? undefined,
      retryAfterMs: retryAfterMs(headers),
      token,
      said: await hubMessage(response, hub.token),
    })
  }
}

/** Sends a request with the token where it may go, and once more without it where the token is refused. */
async function withToken(
  { endpoint, token }: HubAccess,
  origin: string,
  send: (authorization?: Record<string, string>) => Promise<Answer>,
): Promise<{ response: Answer; token: TokenUse }> {
  if (token === undefined) return { response: await send(), token: 'none' }
  if (origin !== new URL(endpoint).origin) return { response: await send(), token: 'sent' }
  if (isRefused(endpoint, token)) return { response: await send(), token: 'refused' }
  const first = await send({ Authorization: `Bearer ${token}` })
  if (first.status !== 401) return { response: first, token: 'sent' }
  await first.body?.cancel()
  // A token that is not valid, such as a suite makes up for its tests, shuts nobody out of what is public.
  const response = await send()
  // Some mirrors answer 401 for one repo. The Hub states no code where the token itself is wrong.
  if (response.status !== 401 || !first.headers.has('X-Error-Code')) noteRefused(endpoint, token)
  return { response, token: 'refused' }
}

/** True when the failure lies on the way to the Hub: fetch failed, or the connection broke in the middle. */
export function isNetworkError(error: unknown): boolean {
  const code = systemCode(error) ?? ''
  // fetch throws a TypeError for all that goes wrong below HTTP, with the socket's error as its cause.
  const isOfFetch = nameOf(error) === 'TypeError' && /^(fetch failed|terminated)$/.test(messageOf(error))
  return error instanceof ConnectionError || isOfFetch || code.startsWith('UND_ERR_') || NETWORK_CODES.has(code)
}

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
])

/** undici hides the reason in `cause`: "fetch failed" alone helps nobody. */
export function rootMessage(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'cause' in error && error.cause) return rootMessage(error.cause)
  return messageOf(error) || systemCode(error) || 'unknown reason'
}
