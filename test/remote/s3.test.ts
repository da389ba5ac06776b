import { cp, mkdir, mkdtemp, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { execa } from 'execa'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import type { RemoteStore } from '../../src/remote/store.ts'
import { all, bodyOf, bytesOf, madeBytes, textOf } from '../support/remote/bodies.ts'
import { FaultyProxy } from '../support/remote/faulty-proxy.ts'
import { openAt } from '../support/remote/open-at.ts'
import { S3_ENV, s3Address, startS3rver } from '../support/remote/s3-servers.ts'
import { startTunnel } from '../support/remote/tunnel.ts'
import { removeFolder } from '../support/remove-folder.ts'

const { signal } = new AbortController()
const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url))
const KEY = 'blobs/sha256/ab/abcd'
// Two parts.
const LARGE = 9 * 2 ** 20

let proxy: FaultyProxy
let closeServer: () => Promise<void>
let prefix = 0
let store: RemoteStore

beforeAll(async () => {
  const server = await startS3rver()
  closeServer = server.close
  proxy = await FaultyProxy.start(server.url)
})
afterAll(async () => {
  await proxy.close()
  await closeServer()
})
beforeEach(async () => {
  for (const [name, value] of Object.entries(S3_ENV)) vi.stubEnv(name, value)
  store = await openAt(s3Address(proxy.url, `store${++prefix}`))
})
afterEach(() => {
  store.close?.()
  proxy.reset()
  vi.unstubAllEnvs()
  vi.useRealTimers()
})

/** An error as S3 answers it. */
const xml = (status: number, code: string, more = '') => ({
  status,
  headers: { 'Content-Type': 'application/xml' },
  body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>Refused.</Message>${more}</Error>`,
})
const put = (body = bodyOf('something')) => store.put(KEY, body, { signal })
const failureOf = (call: Promise<unknown>) =>
  call.then(
    () => 'none',
    (error) => error.failure,
  )

describe('the address of a store on S3', () => {
  test.each([
    ['s3://key:secret@bucket/prefix', 'It holds credentials'],
    ['s3://bucket/prefix?endpoint=https://key:secret@host', 'Its endpoint holds credentials'],
    ['s3://bucket/?endpoint=host.example', 'Its endpoint is not an address'],
    ['s3://bucket/?endpoint=ftp://host.example', 'Its endpoint is not an address'],
    ['s3://bucket/?Region=auto', 'The options are endpoint, region, pathStyle'],
    ['s3://bucket/?pathStyle=yes', 'pathStyle is neither true nor false'],
    ['s3:///prefix', 'It names no bucket'],
    ['s3://bucket:9000/prefix', 'It names no bucket'],
    ['s3://bucket/a/%2E%2E%2Fb', 'Its prefix may have only'],
    ['s3://bucket/a//b', 'Its prefix may have only'],
    ['s3://bucket/a b', 'Its prefix may have only'],
  ])('is refused if it is %s', async (address, reason) => {
    const error = await openAt(new URL(address)).catch((error) => error)
    expect(error).toMatchObject({ name: 'RemoteError', failure: 'misused', message: expect.stringContaining(reason) })
    expect(error.message).not.toContain('secret')
  })

  test('names the region and the style, else the environment names them', async () => {
    const regionOf = (index: number) =>
      /Credential=S3RVER\/\d+\/([^/]+)\/s3/.exec(String(proxy.requests[index]?.headers.authorization))?.[1]
    const ask = async (address: URL, env = {}) => {
      const opened = await openAt(address, env)
      await opened.has(KEY, { signal }).catch(() => undefined)
      opened.close?.()
    }
    await ask(s3Address(proxy.url, 'a'))
    await ask(s3Address(proxy.url, 'a', { region: 'eu-north-1' }))
    vi.stubEnv('AWS_REGION', 'eu-west-2')
    await ask(s3Address(proxy.url, 'a/b'))
    await ask(new URL('s3://models'), { AWS_ENDPOINT_URL: proxy.url })
    expect([0, 1, 2].map(regionOf)).toEqual(['us-east-1', 'eu-north-1', 'eu-west-2'])
    expect(proxy.requests.map(({ path }) => path)).toEqual([
      `/models/a/${KEY}`,
      `/models/a/${KEY}`,
      `/models/a/b/${KEY}`,
      `/models/${KEY}`,
    ])
  })
})

test('without credentials, requests are not signed, and a refusal says so', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined)
  const anonymous = await openAt(s3Address(proxy.url, 'public'))
  onTestFinished(() => anonymous.close?.())
  proxy.add({ method: 'GET', fault: { status: 200, body: 'public bytes' }, times: 1 })
  expect(await textOf(await anonymous.get(KEY, { signal }))).toBe('public bytes')
  expect(proxy.requests[0]?.headers.authorization).toBeUndefined()
  proxy.add({ fault: xml(403, 'AccessDenied') })
  await expect(anonymous.get(KEY, { signal })).rejects.toMatchObject({
    failure: 'denied',
    message: expect.stringContaining('no AWS credentials were found'),
  })
})

test('requests have no trailers and wait for no permission, which older servers do not know', async () => {
  await put()
  await store.put('blobs/large', bodyOf(madeBytes(LARGE)), { signal })
  await store.get(KEY, { signal })
  const headers = new Set(proxy.requests.flatMap((request) => Object.keys(request.headers)))
  expect([...headers].filter((name) => /checksum|trailer|expect|sdk-checksum/.test(name))).toEqual([])
  expect(proxy.requests.map((request) => request.headers['content-encoding']).filter(Boolean)).toEqual([])
})

describe('a server that knows conditions of an upload', () => {
  test('keeps the object of whoever was first, also of one that is uploaded in parts', async () => {
    await put()
    const before = proxy.requests.length
    // Both machines found nothing.
    proxy.add({ method: 'HEAD', fault: { status: 404 } })
    proxy.add(({ method, headers }) =>
      ['PUT', 'POST'].includes(method) && headers['if-none-match'] === '*' ? xml(412, 'PreconditionFailed') : undefined,
    )
    expect(await put()).toBe('exists')
    expect(await put(bodyOf(madeBytes(LARGE)))).toBe('exists')
    expect(proxy.requests.slice(before).at(-1)).toMatchObject({
      method: 'DELETE',
      path: expect.stringContaining('uploadId'),
    })
  })

  test('may answer that another upload is under way: then the object is looked for', async () => {
    await put()
    proxy.add({ method: 'HEAD', fault: { status: 404 }, times: 1 })
    proxy.add({ method: 'PUT', fault: xml(409, 'ConditionalRequestConflict') })
    expect(await put()).toBe('exists')
    await store.remove?.(KEY, { signal })
    expect(await failureOf(put())).toBe('busy')
  })

  test.each([
    [501, 'NotImplemented'],
    [400, 'InvalidArgument'],
  ])('or one that refuses them with %i gets the next upload without them', async (status, code) => {
    proxy.add(({ method, headers }) => (method === 'PUT' && headers['if-none-match'] ? xml(status, code) : undefined))
    expect(await put()).toBe('written')
    expect(await store.put('blobs/second', bodyOf('second'), { signal })).toBe('written')
    const conditions = proxy.requests
      .filter(({ method }) => method === 'PUT')
      .map(({ headers }) => headers['if-none-match'])
    expect(conditions).toEqual(['*', undefined, undefined])
  })
})

describe('an upload in parts', () => {
  const parts = () => proxy.requests.filter(({ path }) => path.includes('partNumber='))

  test('that fails ends at once, and its parts are removed', async () => {
    const bytes = madeBytes(6 * 8 * 2 ** 20)
    proxy.add(({ path }) => (path.includes('partNumber=2') ? xml(503, 'SlowDown') : undefined))
    expect(await failureOf(put(bodyOf(bytes)))).toBe('busy')
    expect(parts().length).toBeLessThan(6)
    const ends = proxy.requests.filter(({ method }) => method === 'DELETE')
    expect(ends.map(({ path }) => path)).toEqual([expect.stringMatching(/uploadId=/)])
    expect(await store.has(KEY, { signal })).toBeUndefined()
  })

  test('that fails says why, even if its parts can not be removed', async () => {
    proxy.add(({ path }) => (path.includes('partNumber=1') ? xml(507, 'InsufficientStorage') : undefined))
    proxy.add({ method: 'DELETE', fault: 'cut' })
    expect(await failureOf(put(bodyOf(madeBytes(LARGE))))).toBe('full')
  })

  test('that is ended by the signal sends nothing more, and its parts are removed', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    proxy.add(({ path }) => {
      if (!path.includes('partNumber=1')) return undefined
      controller.abort(reason)
      return 'hang'
    })
    const upload = store.put(KEY, bodyOf(madeBytes(LARGE)), { signal: controller.signal })
    await expect(upload).rejects.toBe(reason)
    expect(proxy.requests.at(-1)).toMatchObject({ method: 'DELETE', path: expect.stringContaining('uploadId=') })
  })
})

test.each([
  [404, 'NoSuchBucket', 'misused', 'create the bucket'],
  [301, 'PermanentRedirect', 'misused', 'name the region'],
  [400, 'AuthorizationHeaderMalformed', 'misused', 'name the region'],
  [403, 'AccessDenied', 'denied', 'Without the right to list the bucket'],
  [400, 'ExpiredToken', 'denied', 'ExpiredToken'],
  [403, 'QuotaExceeded', 'full', 'QuotaExceeded'],
  [400, 'XMinioAdminBucketQuotaExceeded', 'full', 'Quota'],
  [507, 'XMinioStorageFull', 'full', 'XMinioStorageFull'],
  [503, 'SlowDown', 'busy', 'SlowDown'],
  [400, 'RequestTimeout', 'unreachable', 'RequestTimeout'],
  [500, 'InternalError', 'failed', 'InternalError'],
])('an answer %i %s is a failure of the kind %s', async (status, code, failure, text) => {
  const secret = '<AWSAccessKeyId>AKIASECRET</AWSAccessKeyId><StringToSign>x-amz-security-token:SECRET</StringToSign>'
  proxy.add({ fault: xml(status, code, secret) })
  const error = await store.get(KEY, { signal }).catch((error) => error)
  expect(error).toMatchObject({ name: 'RemoteError', failure, message: expect.stringContaining(text) })
  expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/SECRET|S3RVER/)
})

test('a list has all its pages', async () => {
  const page = (keys: string[], next?: string) =>
    `<ListBucketResult><IsTruncated>${next !== undefined}</IsTruncated>${next ? `<NextContinuationToken>${next}</NextContinuationToken>` : ''}${keys
      .map(
        (key) =>
          `<Contents><Key>store${prefix}/${key}</Key><Size>3</Size><LastModified>2026-01-15T10:30:00.000Z</LastModified></Contents>`,
      )
      .join('')}</ListBucketResult>`
  const headers = { 'Content-Type': 'application/xml' }
  proxy.add(({ path }) => ({
    status: 200,
    headers,
    body: path.includes('continuation-token=second') ? page(['blobs/2']) : page(['blobs/1'], 'second'),
  }))
  const modifiedMs = Date.parse('2026-01-15T10:30:00.000Z')
  expect(await all(store.list?.('blobs/', { signal }))).toEqual([
    { key: 'blobs/1', size: 3, modifiedMs },
    { key: 'blobs/2', size: 3, modifiedMs },
  ])
  proxy.reset()
  proxy.add({ fault: { status: 200, headers, body: page(['blobs/1'], 'again') } })
  expect(await failureOf(all(store.list?.('', { signal })))).toBe('failed')
  proxy.reset()
  proxy.add({ fault: { status: 200, headers, body: '<html>Please log in' } })
  expect(await failureOf(all(store.list?.('', { signal })))).toBe('failed')
})

test('what a hostile server sends leads nowhere and fills no memory', async () => {
  const keys = ['../../other/blobs/1', 'blobs/../../1', 'foreign/1', 'blobs/1', 'blobs//2']
  const contents = keys.map((key) => `<Contents><Key>store${prefix}/${key}</Key><Size>3</Size></Contents>`)
  const body = `<ListBucketResult>${contents.join('')}<Contents><Key>blobs/3</Key></Contents></ListBucketResult>`
  proxy.add({ fault: { status: 200, headers: { 'Content-Type': 'application/xml' }, body }, times: 1 })
  expect((await all(store.list?.('', { signal }))).map(({ key }) => key)).toEqual(['blobs/1'])
  proxy.add({ fault: { status: 500, body: 'x'.repeat(5 << 20) }, times: 1 })
  expect(await failureOf(store.get(KEY, { signal }))).toBe('failed')
  const other = await FaultyProxy.start(proxy.url)
  onTestFinished(() => other.close())
  for (const status of [301, 302, 307, 308])
    proxy.add({ fault: { status, headers: { Location: `${other.url}/models/${KEY}` } }, times: 3 })
  for (let calls = 0; calls < 4; calls++) {
    expect(await failureOf(store.has(KEY, { signal }))).toMatch(/failed|misused/)
    expect(await failureOf(store.get(KEY, { signal }))).toMatch(/failed|misused/)
    expect(await failureOf(store.put(KEY, bodyOf('x'), { signal, overwrite: true }))).toMatch(/failed|misused/)
  }
  expect(other.requests).toEqual([])
})

test('a part that begins elsewhere or is longer than asked for is noticed', async () => {
  await put(bodyOf('0123456789'))
  const range = (from: number, body: string) => ({
    status: 206,
    headers: { 'Content-Range': `bytes ${from}-9/10` },
    body,
  })
  proxy.add({ method: 'GET', fault: range(3, '3456789'), times: 1 })
  expect(await textOf(await store.get(KEY, { signal, start: 3, end: 5 }))).toBe('34')
  proxy.add({ method: 'GET', fault: range(0, '0123456789'), times: 1 })
  expect(await failureOf(store.get(KEY, { signal, start: 3, end: 5 }))).toBe('failed')
  proxy.add({ method: 'GET', fault: { status: 200, body: '0123456789' }, times: 1 })
  expect(await failureOf(store.get(KEY, { signal, start: 3, end: 5 }))).toBe('failed')
})

test('a clock that a test has set, and timers that it has faked, change nothing', async () => {
  // The server is in this process, and would believe the clock of the test.
  proxy.add({ method: 'HEAD', fault: { status: 404 } })
  proxy.add({ method: 'PUT', fault: { status: 200 } })
  proxy.add({ method: 'GET', fault: { status: 200, body: 'something' } })
  vi.useFakeTimers({ now: 0 })
  expect(await put()).toBe('written')
  expect(await textOf(await store.get(KEY, { signal }))).toBe('something')
  vi.useRealTimers()
  const years = proxy.requests.map(({ headers }) => String(headers['x-amz-date']).slice(0, 4))
  expect(new Set(years)).toEqual(new Set([String(new Date().getUTCFullYear())]))
})

test('a machine whose clock is wrong signs with the time of the server', async () => {
  await put()
  const inThreeHours = new Date(Date.now() + 3 * 3_600_000)
  const { status, headers, body } = xml(403, 'RequestTimeTooSkewed')
  proxy.add({ fault: { status, body, headers: { ...headers, Date: inThreeHours.toUTCString() } }, times: 1 })
  proxy.add({ fault: { status: 200, body: 'something' } })
  expect(await textOf(await store.get(KEY, { signal }))).toBe('something')
  const hours = inThreeHours.toISOString().slice(0, 13).replaceAll('-', '')
  expect(String(proxy.requests.at(-1)?.headers['x-amz-date'])).toContain(hours)
})

test('requests go through the proxy of the environment, and past what a suite has mocked', async () => {
  const tunnel = await startTunnel(proxy.url)
  onTestFinished(tunnel.close)
  const far = await openAt(s3Address('http://s3.example', 'far'), { HTTP_PROXY: tunnel.url })
  onTestFinished(() => far.close?.())
  expect(await far.put(KEY, bodyOf(madeBytes(LARGE)), { signal })).toBe('written')
  expect(await textOf(await far.get(KEY, { signal, end: 0 }))).toBe('')
  expect((await bytesOf(await far.get(KEY, { signal })))?.equals(madeBytes(LARGE))).toBe(true)
  expect(new Set(tunnel.hosts)).toEqual(new Set(['s3.example:80']))
  const mocks = setupServer()
  mocks.listen({ onUnhandledRequest: 'error' })
  onTestFinished(() => mocks.close())
  const inWorker = await openAt(s3Address(proxy.url, `store${prefix}`), { VITEST_WORKER_ID: '1' })
  onTestFinished(() => inWorker.close?.())
  expect(await inWorker.put(KEY, bodyOf('something'), { signal })).toBe('written')
  expect(await textOf(await inWorker.get(KEY, { signal }))).toBe('something')
})

test('a package that is missing is named with the command that installs it; one of the project is found', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'linked package '))
  onTestFinished(() => removeFolder(folder))
  const link = async (name: string, ...below: string[]) => {
    const path = join(folder, ...below, 'node_modules', name)
    await mkdir(dirname(path), { recursive: true })
    await symlink(join(MODULES, name), path)
  }
  await cp(inject('packedPackage'), join(folder, 'package'), { recursive: true })
  await link('import-meta-resolve', 'package')
  await mkdir(join(folder, 'app'))
  const options = {
    ...{ cacheDir: join(folder, 'cache'), hub: { endpoint: proxy.url, concurrency: 1 } },
    ...{ offline: false, maxSize: 2 ** 31, maxAge: 2 ** 31, env: S3_ENV },
    remote: { url: s3Address(proxy.url, 'x').href, mode: 'read-write', timeoutMs: 1000, uploadPrivate: false },
  }
  const script = `
    const { ModelCache } = await import('../package/dist/cache/index.js')
    const cache = new ModelCache({ ...${JSON.stringify(options)}, onWarning: console.log })
    console.log(await cache.push().catch((error) => error.code))
  `
  const run = () =>
    execa(process.execPath, ['--input-type=module', '--eval', script], { cwd: join(folder, 'app'), env: S3_ENV })
  const without = await run()
  expect(without.stdout).toContain('`npm install --save-dev @aws-sdk/client-s3 @aws-sdk/lib-storage`')
  expect(without.stdout).toContain('REMOTE_UNUSABLE')
  await link('@aws-sdk/client-s3', 'app')
  // The SDK prints nothing, such as that a version of Node.js is old.
  expect(await run()).toMatchObject({ stdout: '[]', stderr: '' })
})
