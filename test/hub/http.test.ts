import { describe, expect, test } from 'vitest'
import { BrokenDownloadError, explainHubError, HubHttpError, hubFetch, retryAfterMs } from '../../src/hub/http.ts'
import { mayPass } from '../../src/hub/retry.ts'
import { ModelCacheError } from '../../src/model/errors.ts'

const HUB = 'https://hub.example'

function explained(error: unknown): unknown {
  return explainHubError(error, 'Model org/name', HUB)
}

function httpError(status: number, errorCode?: string): HubHttpError {
  return new HubHttpError(status, `${HUB}/api/models/org/name`, errorCode, undefined)
}

describe('the time that a server asks to wait', () => {
  test.each<[string, Record<string, string>, number | undefined]>([
    ['seconds', { 'Retry-After': '7' }, 7000],
    ['no time at all', { 'Retry-After': '0' }, 0],
    ['parts of a second', { 'Retry-After': ' 1.5 ' }, 1500],
    ["the Hub's own header", { ratelimit: '"api";r=0;t=55' }, 55_000],
    ["the Hub's own header with spaces", { ratelimit: '"api"; r=0; t=55' }, 55_000],
    ['both: Retry-After goes first', { 'Retry-After': '7', ratelimit: '"api";r=0;t=55' }, 7000],
    ['nonsense beside the own header', { 'Retry-After': 'soon', ratelimit: '"api";r=0;t=55' }, 55_000],
    ['requests that are left', { ratelimit: '"api";r=12;t=55' }, undefined],
    ['nonsense', { 'Retry-After': 'soon' }, undefined],
    ['nothing', {}, undefined],
    ['a date that is past', { 'Retry-After': 'Wed, 21 Oct 2015 07:28:00 GMT' }, 0],
  ])('in %s', (_, headers, ms) => {
    expect(retryAfterMs(new Headers(headers))).toBe(ms)
  })

  test('is counted from now when it is a date', () => {
    const before = Date.now()
    const ms = retryAfterMs(new Headers({ 'Retry-After': new Date(before + 60_000).toUTCString() })) ?? 0
    // A date of HTTP has no parts of a second.
    expect(ms).toBeGreaterThan(60_000 - 1000 - (Date.now() - before) - 1)
    expect(ms).toBeLessThanOrEqual(60_000)
  })
})

describe('another try', () => {
  test.each([408, 429, 500, 502, 503, 504])('is worth it after HTTP %i', (status) => {
    expect(mayPass(httpError(status))).toBe(true)
  })

  test.each([400, 401, 403, 404, 410, 451])('is not after HTTP %i', (status) => {
    expect(mayPass(httpError(status))).toBe(false)
  })

  test('is worth it after broken connections and broken bodies, not after an abort or a final answer', () => {
    expect(mayPass(new TypeError('fetch failed', { cause: new Error('ECONNRESET') }))).toBe(true)
    expect(mayPass(new BrokenDownloadError('too short'))).toBe(true)
    expect(mayPass(new DOMException('aborted', 'AbortError'))).toBe(false)
    expect(mayPass(explained(httpError(404)))).toBe(false)
  })
})

describe('an error of the Hub', () => {
  test.each<[number, string | undefined, string]>([
    [404, 'RepoNotFound', 'MODEL_NOT_FOUND'],
    [401, 'RepoNotFound', 'MODEL_NOT_FOUND'],
    [401, undefined, 'MODEL_NOT_FOUND'],
    [404, undefined, 'MODEL_NOT_FOUND'],
    [404, 'RevisionNotFound', 'REVISION_NOT_FOUND'],
    [404, 'EntryNotFound', 'FILE_NOT_FOUND'],
    [401, 'GatedRepo', 'GATED'],
    [403, 'GatedRepo', 'GATED'],
    [403, undefined, 'ACCESS_DENIED'],
    [429, undefined, 'HUB_ERROR'],
    [500, undefined, 'HUB_ERROR'],
    [418, undefined, 'HUB_ERROR'],
  ])('HTTP %i %s is %s', (status, errorCode, code) => {
    const cause = httpError(status, errorCode)
    expect(explained(cause)).toMatchObject({ code, asked: 'Model org/name', cause })
  })

  test('names the reason that fetch hides in its cause', () => {
    const reason = new Error('getaddrinfo ENOTFOUND hub.example')
    const error = explained(new TypeError('fetch failed', { cause: reason }))
    expect(error).toMatchObject({ code: 'HUB_UNREACHABLE', reason: expect.stringContaining(reason.message) })
  })

  test('that was explained stays as it is, and so does an abort', () => {
    const first = explained(httpError(404))
    expect(first).toBeInstanceOf(ModelCacheError)
    expect(explained(first)).toBe(first)
    const abort = new DOMException('aborted', 'AbortError')
    expect(explained(abort)).toBe(abort)
  })
})

describe('a fetch to the Hub', () => {
  /** Stands in for the network: gives back the headers that it was sent. */
  const echo: typeof fetch = async (_input, init) => Response.json(Object.fromEntries(new Headers(init?.headers)))

  test('carries the token when there is one, and keeps the headers that it was given', async () => {
    const headers = { Accept: 'application/json' }
    const anonymous = await hubFetch({ endpoint: HUB, fetch: echo })(HUB, { headers })
    expect(await anonymous.json()).toEqual({ accept: 'application/json', 'user-agent': 'vitest-model-cache' })
    const member = await hubFetch({ endpoint: HUB, fetch: echo, token: 'hf_secret' })(HUB, { headers })
    expect(await member.json()).toMatchObject({ accept: 'application/json', authorization: 'Bearer hf_secret' })
  })

  test('throws for what is no success, and keeps the token out of it', async () => {
    const failing: typeof fetch = async () =>
      new Response('nothing here', { status: 404, headers: { 'X-Error-Code': 'RepoNotFound', 'Retry-After': '3' } })
    const request = hubFetch({ endpoint: HUB, fetch: failing, token: 'hf_secret' })(HUB)
    const error = await request.catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ status: 404, errorCode: 'RepoNotFound', retryAfterMs: 3000 })
    expect(JSON.stringify(error)).not.toContain('hf_secret')
  })
})
