import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { Engine, gitSha1, sha256 } from '../support/engine.ts'
import fc from '../support/property.ts'
import { TestServing } from '../support/serving.ts'

const OUTSIDE = 'not a file of any model'
const CONFIG = '{"model_type":"bert"}'
const WEIGHTS = 'w'.repeat(500)
const FILE = '/org/open/resolve/main/config.json'

let engine: Engine
beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/open', { files: { 'config.json': CONFIG, 'onnx/model.onnx': WEIGHTS } })
  await engine.open().warm(['org/open'])
  for (const place of [engine.folder, engine.cacheDir, engine.inCache('hub', 'models--org--open')])
    await writeFile(join(place, 'outside.txt'), OUTSIDE)
})

const serve = (settings: Parameters<typeof TestServing.start>[2] = {}) =>
  TestServing.start(engine, onTestFinished, settings)

const PATHS = [
  '/org/open/resolve/main/../../../../outside.txt',
  '/org/open/resolve/main/%2e%2e/%2e%2e/outside.txt',
  '/org/open/resolve/main/..%2f..%2foutside.txt',
  '/org/open/resolve/main/%252e%252e/outside.txt',
  '/org/open/resolve/main/..\\..\\outside.txt',
  '/org/open/resolve/main/..%5c..%5coutside.txt',
  '/org/open/resolve/main/config.json%00.txt',
  '/org/open/resolve/main//outside.txt',
  '/org/open/resolve/main/%2Fetc/passwd',
  '/org/open/resolve/..%2f..%2f..%2fx/config.json',
  '/../outside.txt',
  '/%2e%2e/outside.txt',
  '//etc/passwd',
  '/org/open/resolve/main/%E0%A4%A',
  '/org/open/resolve/main/',
  '/org/open/resolve',
  '/api/models/org/open/tree/main/..%2f..',
  '/api/models/..%2f..%2fcache/tree/main',
  '/api/models/',
  '/api/whoami-v2',
  '/',
]

test('no path leads out of a repo', async () => {
  const server = await serve()
  for (const path of PATHS) {
    const { status, body } = await server.ask(path)
    expect.soft([path, [400, 401, 404].includes(status), body.includes(OUTSIDE)]).toEqual([path, true, false])
  }
})

test('any path and any headers get an answer, and the server goes on', async () => {
  const server = await serve()
  const piece = fc.oneof(
    fc.constantFrom(
      'org',
      'open',
      'resolve',
      'raw',
      'main',
      'api',
      'models',
      'tree',
      'paths-info',
      'config.json',
      '..',
      '.',
    ),
    fc.webSegment(),
    fc.string({ unit: 'grapheme' }).map(encodeURIComponent),
  )
  const header = fc.string({ unit: fc.constantFrom(...'bytes=0123456789-,"W/* ') })
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 8 }),
      header,
      fc.constantFrom('GET', 'HEAD', 'POST'),
      async (pieces, value, method) => {
        const headers = { Range: value, 'If-Range': value, 'If-None-Match': value, 'Content-Type': value }
        const target = `/${pieces.join('/')}`
        const { status, body } = await server.ask(target, headers, method, method === 'POST' ? value : undefined)
        expect([200, 206, 304, 400, 401, 404, 405, 413, 416, 504]).toContain(status)
        expect(body).not.toContain(OUTSIDE)
        const same = await server.ask(FILE, { Range: value })
        expect([200, 206, 416]).toContain(same.status)
      },
    ),
    { numRuns: 100 },
  )
  expect((await server.ask(FILE)).body).toBe(CONFIG)
  expect(server.problems).toEqual([])
})

describe('a request is refused', () => {
  test('that would change something', async () => {
    const server = await serve()
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'])
      expect(await server.ask(FILE, {}, method)).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD, POST' } })
    expect((await server.ask(FILE, {}, 'POST', 'x')).status).toBe(405)
  })

  test('of a page in a browser, or to a name that is not of this machine', async () => {
    const server = await serve()
    const { port } = new URL(server.url)
    const statusFor = async (headers: Record<string, string>) => (await server.ask(FILE, headers)).status
    for (const name of ['localhost', '127.0.0.1', '[::1]'])
      for (const host of [name, `${name}:${port}`]) expect(await statusFor({ Host: host })).toBe(200)
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      '@',
    ])
      expect(await statusFor({ Host: host })).toBe(403)
    expect(await server.send(`GET ${FILE} HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1.1 403/)
    expect(await statusFor({ Origin: 'http://evil.example' })).toBe(403)
    expect(await statusFor({ 'Sec-Fetch-Site': 'cross-site' })).toBe(403)
    const answer = await server.ask(FILE)
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
  })

  test('that is too long, or no HTTP', async () => {
    const server = await serve()
    expect((await server.ask(`/${'a'.repeat(9_000)}`)).status).toBe(414)
    expect((await server.ask(FILE, { Long: 'a'.repeat(20_000) })).status).toBe(431)
    expect(await server.send('nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400/)
    expect(
      await server.send(`GET http://evil.example${FILE} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`),
    ).toMatch(/^HTTP\/1.1 400/)
    expect((await server.ask(FILE)).body).toBe(CONFIG)
  })

  test('that never ends, and many requests at once on one connection', async () => {
    const server = await serve({
      limits: { headersTimeout: 100, requestTimeout: 200, connectionsCheckingInterval: 20 },
    })
    for (const start of ['', 'G', 'GET / HTTP/1.1\r\nHost: local'])
      expect(await server.send(start)).toMatch(/^HTTP\/1.1 408/)
    const unfinished =
      'POST /api/models/org/open/paths-info/main HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\npaths'
    expect(await server.send(unfinished)).toMatch(/^HTTP\/1.1 408/)
    const many = await server.send(`GET ${FILE} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(100))
    expect(many.split('HTTP/1.1 200').length).toBeLessThan(20)
    expect((await server.ask(FILE)).body).toBe(CONFIG)
  })
})

test('a file that was changed or removed behind the server is not served', async () => {
  const server = await serve()
  const blobs = ['hub', 'models--org--open', 'blobs']
  expect((await server.ask(FILE)).body).toBe(CONFIG)
  await writeFile(engine.inCache(...blobs, gitSha1(CONFIG)), 'other bytes')
  await rm(engine.inCache(...blobs, sha256(WEIGHTS)))
  for (const path of [FILE, '/org/open/resolve/main/onnx/model.onnx'])
    expect(await server.ask(path)).toMatchObject({ status: 504, body: expect.stringContaining('not in this cache') })
})
