import { once } from 'node:events'
import { createServer } from 'node:http'
import { runInNewContext } from 'node:vm'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Withheld } from '../../src/config/token.ts'
import { explainHubError } from '../../src/hub/explain-error.ts'
import { HubHttpError, hubFetch, type TokenUse } from '../../src/hub/http.ts'
import { mayPass } from '../../src/hub/retry.ts'
import { BrokenDownloadError, DigestMismatchError } from '../../src/model/broken-download.ts'
import { ModelCacheError } from '../../src/model/errors.ts'
import { inWords, retryAfterMs } from '../../src/net/retry-after.ts'
import { jsonOf } from '../support/answers.ts'

const HUB = 'https://hub.example'

function explained(error: unknown, token?: string): unknown {
  return explainHubError(error, { asked: 'Model org/name', repo: 'org/name' }, { endpoint: HUB, fetch, token })
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: as the system says`), { code })
}

function httpError(status: number, errorCode?: string): HubHttpError {
  return new HubHttpError({ status, url: `${HUB}/api/models/org/name`, errorCode })
}

describe('the wait that a server asks for', () => {
  test.each<[string, Record<string, string>, number | undefined]>([
    ['seconds', { 'Retry-After': '7' }, 7000],
    ['zero seconds', { 'Retry-After': '0' }, 0],
    ['fractions of a second', { 'Retry-After': ' 1.5 ' }, 1500],
    ["the Hub's own header", { ratelimit: '"api";r=0;t=55' }, 55_000],
    ["the Hub's own header with spaces", { ratelimit: '"api"; r=0; t=55' }, 55_000],
    ['both headers, of which Retry-After wins', { 'Retry-After': '7', ratelimit: '"api";r=0;t=55' }, 7000],
    ["an invalid Retry-After beside the Hub's header", { 'Retry-After': 'soon', ratelimit: '"api";r=0;t=55' }, 55_000],
    ["the Hub's header with requests left", { ratelimit: '"api";r=12;t=55' }, undefined],
    ['an invalid Retry-After', { 'Retry-After': 'soon' }, undefined],
    ['no header', {}, undefined],
    ['a date in the past', { 'Retry-After': 'Wed, 21 Oct 2015 07:28:00 GMT' }, undefined],
    [
      "a date, relative to the server's own clock",
      { Date: 'Wed, 21 Oct 2015 07:27:50 GMT', 'Retry-After': 'Wed, 21 Oct 2015 07:28:00 GMT' },
      10_000,
    ],
  ])('is read from %s', (_, headers, ms) => {
    expect(retryAfterMs(new Headers(headers))).toBe(ms)
  })

  test('is relative to the present time when the server states only a date', () => {
    const before = Date.now()
    const ms = retryAfterMs(new Headers({ 'Retry-After': new Date(before + 60_000).toUTCString() })) ?? 0
    // HTTP dates have whole seconds.
    expect(ms).toBeGreaterThan(60_000 - 1000 - (Date.now() - before) - 1)
    expect(ms).toBeLessThanOrEqual(60_000)
  })
})

test.each<[number | undefined, string]>([
  [undefined, 'later'],
  [0, 'later'],
  [7_000, 'in 7 seconds'],
  [90_000, 'in 90 seconds'],
  [600_000, 'in 10 minutes'],
  [3 * 3_600_000, 'in 3 hours'],
  [1e19, 'later'],
])('a wait of %s ms is written as "%s"', (ms, text) => {
  expect(inWords(ms)).toBe(text)
})

describe('another attempt', () => {
  test.each([408, 429, 500, 502, 503, 504])('is made after HTTP %i', (status) => {
    expect(mayPass(httpError(status))).toBe(true)
  })

  test.each([400, 401, 403, 404, 410, 451])('is not made after HTTP %i', (status) => {
    expect(mayPass(httpError(status))).toBe(false)
  })

  test('is made after broken connections and broken bodies, not after an abort or a final response', () => {
    expect(mayPass(new TypeError('fetch failed', { cause: new Error('ECONNRESET') }))).toBe(true)
    expect(mayPass(new BrokenDownloadError('too short'))).toBe(true)
    expect(mayPass(new DigestMismatchError(`sha1:${'0'.repeat(40)}`, `sha1:${'1'.repeat(40)}`))).toBe(true)
    expect(mayPass(new DOMException('aborted', 'AbortError'))).toBe(false)
    expect(mayPass(explained(httpError(404)))).toBe(false)
  })

  test('is made after a page that is not JSON', () => {
    expect(mayPass(new SyntaxError('Unexpected token < in JSON'))).toBe(true)
  })

  test.each(['ECONNRESET', 'ECONNREFUSED', 'ETIMEDOUT', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_SOCKET'])(
    'is made after %s',
    (code) => {
      expect(mayPass(systemError(code))).toBe(true)
    },
  )

  test.each(['ENOSPC', 'EACCES', 'EPERM', 'EROFS', 'EDQUOT', 'EMFILE', 'ENOENT', 'ENOTDIR', 'EXDEV', 'EIO'])(
    'is not made after %s, which is an error of the disk',
    (code) => {
      expect(mayPass(systemError(code))).toBe(false)
    },
  )

  test('is not made after any other error', () => {
    for (const thrown of [new Error('any'), new RangeError('any'), 'a text', undefined, null, { code: 5 }])
      expect(mayPass(thrown)).toBe(false)
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

  test('states the reason that fetch hides in its cause', () => {
    const reason = new Error('getaddrinfo ENOTFOUND hub.example')
    const error = explained(new TypeError('fetch failed', { cause: reason }))
    expect(error).toMatchObject({ code: 'HUB_UNREACHABLE', reason: expect.stringContaining(reason.message) })
  })

  test('is HUB_UNREACHABLE when a connection broke, whatever the name of the error', () => {
    for (const cause of [systemError('ECONNRESET'), systemError('UND_ERR_BODY_TIMEOUT'), new TypeError('terminated')])
      expect(explained(cause)).toMatchObject({
        code: 'HUB_UNREACHABLE',
        asked: 'Model org/name',
        reason: expect.stringContaining(HUB),
        cause,
      })
  })

  test('is BROKEN_DOWNLOAD when the body was broken', () => {
    const cause = new BrokenDownloadError('5 bytes of a.bin were received, but the Hub stated 6')
    expect(explained(cause)).toMatchObject({ code: 'BROKEN_DOWNLOAD', reason: `${cause.message}.`, cause })
  })

  test('is HUB_ERROR when the response is a page instead of JSON', () => {
    const cause = new SyntaxError('Unexpected token < in JSON')
    const nextStep = expect.stringContaining('HF_ENDPOINT')
    expect(explained(cause)).toMatchObject({
      code: 'HUB_ERROR',
      reason: expect.stringContaining(HUB),
      nextStep,
      cause,
    })
  })

  test('is the same for an error from another realm', () => {
    const foreign = runInNewContext(`({ page: new SyntaxError('no JSON'), fetch: new TypeError('fetch failed') })`)
    expect(explained(foreign.page)).toMatchObject({ code: 'HUB_ERROR', cause: foreign.page })
    expect(explained(foreign.fetch)).toMatchObject({ code: 'HUB_UNREACHABLE', cause: foreign.fetch })
    expect([mayPass(foreign.page), mayPass(foreign.fetch)]).toEqual([true, true])
  })

  test('is not made from errors of the disk or of the code: those are returned unchanged', () => {
    for (const other of [systemError('ENOSPC'), systemError('EACCES'), new Error('any'), new RangeError('any'), 'text'])
      expect(explained(other)).toBe(other)
  })

  test.each<[string, TokenUse, number, string | undefined, RegExp, RegExp]>([
    ['a missing repo', 'none', 401, 'RepoNotFound', /private \(HTTP 401\)\.$/, /set HF_TOKEN/],
    [
      'a missing repo',
      'sent',
      404,
      'RepoNotFound',
      /the token has no access to it \(HTTP 404\)\. The Hub says: No\.$/,
      /use the token/,
    ],
    [
      'a missing repo',
      'refused',
      401,
      undefined,
      /The token was refused \(HTTP 401\)/,
      /replace the token with one from \S+\/settings\/tokens/,
    ],
    [
      'a gated repo',
      'none',
      401,
      'GatedRepo',
      /gated\. The Hub says: No\.$/,
      /terms at https:\S+\/org\/name, then set HF_TOKEN/,
    ],
    [
      'a gated repo',
      'sent',
      403,
      'GatedRepo',
      /gated, and the token has no access/,
      /terms at https:\S+\/org\/name with the account/,
    ],
    [
      'a gated repo',
      'refused',
      401,
      'GatedRepo',
      /gated\. The token was refused \(HTTP 401\)/,
      /org\/name, then replace the token/,
    ],
    ['a closed repo', 'none', 403, undefined, /^This repo cannot be read without a token/, /set HF_TOKEN/],
    ['a closed repo', 'sent', 403, undefined, /^The token has no access.* The Hub says: No\.$/, /org\/name/],
    ['a rate limit', 'none', 429, undefined, /429.* The Hub says: No\.$/, /^Try again in 10 minutes, or set HF_TOKEN/],
    ['a rate limit', 'sent', 429, undefined, /429/, /^Try again in 10 minutes\.$/],
    ['a removed repo', 'none', 410, undefined, /no longer serves this repo \(HTTP 410\)/, /org\/name/],
    ['a failure of the Hub', 'sent', 503, undefined, /503.* The Hub says: No\.$/, /^Try again in 10 minutes\.$/],
  ])(
    'about %s, with the token use "%s" and HTTP %i, says what helps',
    (_, token, status, errorCode, reason, nextStep) => {
      const url = `${HUB}/api/models/org/name`
      const cause = new HubHttpError({ status, url, errorCode, token, said: 'No', retryAfterMs: 600_000 })
      const error = explained(cause)
      expect(error).toMatchObject({ reason: expect.stringMatching(reason), nextStep: expect.stringMatching(nextStep) })
      if (token !== 'none') expect(error).not.toMatchObject({ nextStep: expect.stringContaining('set HF_TOKEN') })
    },
  )

  test.each<[Withheld, RegExp]>([
    ['plain http', /use an https endpoint/],
    ['other endpoint', /HF_ENDPOINT or `hub.token` for https:\/\/hub.example/],
  ])('does not say to set a token when the token is withheld: %s', (withheld, nextStep) => {
    const of = { asked: 'Model org/name', repo: 'org/name' }
    const error = explainHubError(httpError(401), of, { endpoint: HUB, fetch, withheld })
    expect(error).toMatchObject({ nextStep: expect.stringMatching(nextStep) })
    expect(error).not.toMatchObject({ nextStep: expect.stringContaining('set HF_TOKEN') })
  })

  test('that is already a ModelCacheError is returned unchanged, and so is an abort', () => {
    const first = explained(httpError(404))
    expect(first).toBeInstanceOf(ModelCacheError)
    expect(explained(first)).toBe(first)
    const abort = new DOMException('aborted', 'AbortError')
    expect(explained(abort)).toBe(abort)
  })
})

describe('a fetch to the Hub', () => {
  /** Replaces the network: responds with the headers of the request. */
  const echo: typeof fetch = async (_input, init) => Response.json(Object.fromEntries(new Headers(init?.headers)))

  test('sends the token when there is one, and keeps the given headers', async () => {
    const headers = { Accept: 'application/json' }
    const anonymous = await hubFetch({ endpoint: HUB, fetch: echo })(HUB, { headers })
    expect(await jsonOf(anonymous)).toEqual({ accept: 'application/json', 'user-agent': 'vitest-model-cache' })
    const member = await hubFetch({ endpoint: HUB, fetch: echo, token: 'hf_secret' })(HUB, { headers })
    expect(await jsonOf(member)).toMatchObject({ accept: 'application/json', authorization: 'Bearer hf_secret' })
  })

  test.each<[string, string]>([
    ['another host', 'https://else.example/x'],
    ['another port', `${HUB}:8443/x`],
    ['plain http', 'http://hub.example/x'],
    ['a host that starts with the name of the Hub', `${HUB}.evil.example/x`],
    ['a subdomain', 'https://sub.hub.example/x'],
    ['a user name that looks like the Hub', `${HUB}@evil.example/x`],
  ])('sends no token to another origin: %s', async (_, url) => {
    const access = { endpoint: HUB, fetch: echo, token: 'hf_secret' }
    for (const input of [url, new URL(url)])
      expect(await jsonOf(await hubFetch(access)(input))).not.toHaveProperty('authorization')
  })

  test('sends the token below the base path of the endpoint, whether the address is a string or a URL', async () => {
    const member = hubFetch({ endpoint: `${HUB}/base`, fetch: echo, token: 'hf_secret' })
    for (const input of [`${HUB}/base/x`, new URL(`${HUB}/base/x`)])
      expect(await jsonOf(await member(input))).toHaveProperty('authorization', 'Bearer hf_secret')
  })

  test('states the URL without its query in an error, because the query may be a signature', async () => {
    const server = createServer((request, response) => {
      const isSigned = request.url?.startsWith('/signed') ?? false
      response.writeHead(isSigned ? 403 : 302, { Location: '/signed?Signature=secret&Key=5' }).end()
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const address = server.address()
    const endpoint = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
    const error = await hubFetch({ endpoint, fetch })(`${endpoint}/file`).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ status: 403, url: `${endpoint}/signed` })
    expect(`${error} ${JSON.stringify(error)} ${JSON.stringify(explained(error))}`).not.toContain('secret')
  })

  test('throws for an error status, with the message of the Hub and without the token', async () => {
    const answers: [Record<string, string>, string, string | undefined][] = [
      [{ 'X-Error-Message': 'No such\tthing: hf_secret' }, 'a body', 'No such thing: (the token)'],
      [{ 'Content-Type': 'application/json' }, '{"error":"Not \\u001b[31mhere"}', 'Not \\u001b[31mhere'],
      [{ 'Content-Type': 'application/json' }, JSON.stringify({ error: 'x'.repeat(500) }), `${'x'.repeat(300)}…`],
      [{ 'Content-Type': 'application/json' }, JSON.stringify({ error: 'x'.repeat(100_000) }), undefined],
      [{ 'Content-Type': 'application/json' }, '{"error":', undefined],
      [{ 'Content-Type': 'text/html' }, '<html>', undefined],
    ]
    for (const [headers, body, said] of answers) {
      const failing: typeof fetch = async () =>
        new Response(body, { status: 404, headers: { 'X-Error-Code': 'RepoNotFound', 'Retry-After': '3', ...headers } })
      const request = hubFetch({ endpoint: HUB, fetch: failing, token: 'hf_secret' })(HUB)
      const error = await request.catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ status: 404, errorCode: 'RepoNotFound', retryAfterMs: 3000, token: 'sent', said })
      expect(JSON.stringify(error)).not.toContain('hf_secret')
    }
  })

  test('does not send a refused token again for a while', async () => {
    const sent: boolean[] = []
    const hub: typeof fetch = async (_input, init) => {
      const isSent = new Headers(init?.headers).has('Authorization')
      sent.push(isSent)
      return new Response('{}', { status: isSent ? 401 : 200 })
    }
    const request = hubFetch({ endpoint: 'https://refusing.example', fetch: hub, token: 'hf_old' })
    for (let turn = 0; turn < 3; turn++) await request('https://refusing.example/x')
    expect(sent).toEqual([true, false, false, false])
  })
})
