import { BrokenDownloadError } from '../model/broken-download.ts'
import { ModelCacheError, messageOf, nameOf, systemCode } from '../model/errors.ts'
import { originals } from '../platform/originals.ts'
import { ConnectionError } from './connection-error.ts'
import type { AnswerHeaders, Fetch } from './fetch.ts'

/** What a caller hands over to reach a Hub. */
export interface HubAccess {
  /** Origin and base path, no slash at the end. */
  endpoint: string
  fetch: Fetch
  /** Sent to the endpoint's origin alone: fetch drops the header when a redirect leaves the origin (WHATWG fetch, 4.4). */
  token?: string
}

/** An answer that is no success. `errorCode` is the Hub's `X-Error-Code`. */
export class HubHttpError extends Error {
  override readonly name = 'HubHttpError'
  constructor(
    readonly status: number,
    readonly url: string,
    readonly errorCode: string | undefined,
    readonly retryAfterMs: number | undefined,
  ) {
    super(`HTTP ${status} from ${url}`)
  }
}

/** A fetch that sends the token, and throws `HubHttpError` for every answer that is no success. */
export function hubFetch(hub: HubAccess, signal?: AbortSignal): Fetch {
  const home = new URL(hub.endpoint).origin
  return async (input, init) => {
    const headers = { ...init?.headers, 'User-Agent': 'vitest-model-cache' }
    const send = (more?: object) =>
      hub.fetch(input, { ...init, headers: { ...headers, ...more }, signal: signal ?? init?.signal })
    // The next page of a listing is where the answer says: it may say another origin.
    const isHome = hub.token !== undefined && new URL(input).origin === home
    let response = await send(isHome ? { Authorization: `Bearer ${hub.token}` } : undefined)
    // A token that is not valid, such as a suite makes up for its tests, shuts nobody out of what is public.
    if (response.status === 401 && isHome) {
      await response.body?.cancel()
      response = await send()
    }
    if (response.ok) return response
    await response.body?.cancel()
    const retryAfter = retryAfterMs(response.headers)
    // Without the query: that of a CDN is a signature which opens the file to whoever reads a log.
    const url = response.url.split('?', 1)[0] ?? ''
    throw new HubHttpError(response.status, url, response.headers.get('X-Error-Code') ?? undefined, retryAfter)
  }
}

/**
 * How long the server asks to wait, in milliseconds: `Retry-After` in seconds or as a date, else the `t` of the Hub's
 * `ratelimit` header (`"api";r=0;t=55`), else undefined.
 */
export function retryAfterMs(headers: AnswerHeaders): number | undefined {
  const retryAfter = headers.get('Retry-After')
  if (retryAfter !== null) {
    if (/^\d+(\.\d+)?$/.test(retryAfter.trim())) return Number(retryAfter) * 1000
    const date = Date.parse(retryAfter)
    if (!Number.isNaN(date)) return Math.max(0, date - originals.now())
  }
  const seconds = /;\s*r=0\s*;\s*t=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]
  return seconds === undefined ? undefined : Number(seconds) * 1000
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

/** The error that a user sees for what went wrong between us and the Hub; what lies elsewhere comes back as it is. */
export function explainHubError(error: unknown, asked: string, hub: HubAccess): unknown {
  if (error instanceof HubHttpError) return explainStatus(error, asked, hub)
  if (nameOf(error) === 'SyntaxError')
    return new ModelCacheError({
      code: 'HUB_ERROR',
      asked,
      reason: `${hub.endpoint} answered with something else than JSON.`,
      nextStep: 'Check that HF_ENDPOINT is a Hugging Face Hub, and that no proxy answers in its place.',
      cause: error,
    })
  if (error instanceof BrokenDownloadError)
    return new ModelCacheError({
      code: 'BROKEN_DOWNLOAD',
      asked,
      reason: `${error.message}.`,
      nextStep:
        'The next run tries again, from where this one stood if it can. A proxy may cut or change files: check it and HF_ENDPOINT.',
      cause: error,
    })
  if (!isNetworkError(error)) return error
  return new ModelCacheError({
    code: 'HUB_UNREACHABLE',
    asked,
    reason: `The Hub at ${hub.endpoint} could not be reached: ${rootMessage(error)}.`,
    nextStep: 'Check the network, the proxy variables and HF_ENDPOINT; the next run tries again.',
    cause: error,
  })
}

function explainStatus(error: HubHttpError, asked: string, { endpoint, token }: HubAccess): ModelCacheError {
  const parts = (code: ModelCacheError['code'], reason: string, nextStep: string) =>
    new ModelCacheError({ code, asked, reason, nextStep, cause: error })
  const withToken =
    'set HF_TOKEN, log in with `hf auth login`, or set `hub.token` in modelCache() and name the model in `models`'
  if (error.errorCode === 'RevisionNotFound')
    return parts('REVISION_NOT_FOUND', `The repo has no such revision at ${endpoint}.`, 'Check the text after "@".')
  if (error.errorCode === 'EntryNotFound')
    return parts('FILE_NOT_FOUND', 'The repo has no such file at this commit.', 'Check the spelling of the file.')
  if (error.errorCode === 'GatedRepo')
    return parts('GATED', 'The repo is gated.', `Accept its terms on ${endpoint}, then ${withToken}.`)
  if (error.status === 401 || error.status === 404)
    return parts(
      'MODEL_NOT_FOUND',
      `The Hub at ${endpoint} has no such repo, or it is private${token ? ' and the token that was sent does not open it' : ''} (HTTP ${error.status}).`,
      token
        ? 'Check the spelling, and that the token is valid.'
        : `Check the spelling; for a private repo ${withToken}.`,
    )
  if (error.status === 403)
    return parts(
      'ACCESS_DENIED',
      `${token ? 'The token has' : 'Without a token there is'} no access to this repo (HTTP 403).`,
      `For access, ${withToken}.`,
    )
  if (error.status === 429)
    return parts(
      'HUB_ERROR',
      `The Hub at ${endpoint} limits the rate of requests (HTTP 429).`,
      'Wait some minutes, or set HF_TOKEN: with a token the limits are higher.',
    )
  return parts('HUB_ERROR', `The Hub answered HTTP ${error.status} for ${error.url}.`, 'Try again later.')
}

/** undici hides the reason in `cause`: "fetch failed" alone helps nobody. */
export function rootMessage(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'cause' in error && error.cause) return rootMessage(error.cause)
  return messageOf(error) || systemCode(error) || 'unknown reason'
}
