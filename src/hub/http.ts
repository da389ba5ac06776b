import type { Withheld } from '../config/token.ts'
import type { Answer, Fetch } from '../net/fetch.ts'
import { retryAfterMs } from '../net/retry-after.ts'
import { hubMessage } from './hub-message.ts'
import { isRefused, noteRefused } from './refused-tokens.ts'

/** What is needed to send requests to a Hub. */
export interface HubAccess {
  /** Origin and base path, no slash at the end. */
  endpoint: string
  fetch: Fetch
  /** Sent to the endpoint's origin alone: fetch drops the header when a redirect leaves the origin (WHATWG fetch, 4.4). */
  token?: string
  /** Why the user's token is not sent. Undefined if it is sent, or if the user has none. */
  withheld?: Withheld
  /**
   * Called after a failed request of the API with the time until the next attempt in milliseconds and the failure; called
   * with undefined when the next attempt starts.
   */
  onWait?: (waitMs: number | undefined, failure?: unknown) => void
}

/** `none`: there was no token. `sent`: the endpoint got it. `refused`: the endpoint refused it, and the request was sent without it. */
export type TokenUse = 'none' | 'sent' | 'refused'

interface HttpErrorParts {
  status: number
  url: string
  /** The Hub's `X-Error-Code`. */
  errorCode?: string
  retryAfterMs?: number
  token?: TokenUse
  /** The Hub's message, as one printable line. */
  said?: string
}

/** A response with an HTTP error status. */
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

/** A fetch that sends the token, and throws `HubHttpError` for every response with an error status. */
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
      // Without the query: the query of a CDN's address is a signature. In a log, it would give every reader access to the file.
      url: response.url.split('?', 1)[0] ?? '',
      errorCode: headers.get('X-Error-Code') ?? undefined,
      retryAfterMs: retryAfterMs(headers),
      token,
      said: await hubMessage(response, hub.token),
    })
  }
}

/** Sends a request with the token if it may be sent to that origin. If the token is refused, sends it again without. */
async function withToken(
  { endpoint, token }: HubAccess,
  origin: string,
  send: (authorization?: Record<string, string>) => Promise<Answer>,
): Promise<{ response: Answer; token: TokenUse }> {
  if (token === undefined) return { response: await send(), token: 'none' }
  // The Hub redirected an earlier request to this address, and got the token with that request.
  if (origin !== new URL(endpoint).origin) return { response: await send(), token: 'sent' }
  if (isRefused(endpoint, token)) return { response: await send(), token: 'refused' }
  const first = await send({ Authorization: `Bearer ${token}` })
  if (first.status !== 401) return { response: first, token: 'sent' }
  await first.body?.cancel()
  // Public repos must work with an invalid token too, such as a made-up token of a test suite.
  const response = await send()
  // Some mirrors answer 401 for a single repo, with an error code. The Hub sends no code when the token itself is invalid.
  if (response.status !== 401 || !first.headers.has('X-Error-Code')) noteRefused(endpoint, token)
  return { response, token: 'refused' }
}
