import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { execa } from 'execa'
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { chunksOf } from '../../src/net/body.ts'
import { isNetworkError, rootMessage } from '../../src/net/connection-error.ts'
import { directFetch } from '../../src/net/direct-fetch.ts'
import type { Fetch } from '../../src/net/fetch.ts'
import { originals } from '../../src/platform/originals.ts'
import { bytesOf, jsonOf, textOf } from '../support/answers.ts'
import { Engine } from '../support/engine.ts'
import { CERTIFICATE, startTls } from '../support/tls.ts'

/** The direct fetch must behave like the fetch of Node.js, so both run the same tests. */
const FETCHES: [string, Fetch][] = [
  ['the fetch of Node.js', fetch],
  ['the direct fetch', directFetch],
]

/** A server, as `http://127.0.0.1:<port>`. */
async function serve(listener: RequestListener): Promise<string> {
  return listen(createServer(listener))
}

/** A TCP server that writes its response itself. */
async function serveRaw(onSocket: (socket: Socket) => void): Promise<string> {
  return listen(createTcpServer((socket) => void onSocket(socket.on('error', () => undefined))))
}

async function listen(server: Server | ReturnType<typeof createTcpServer>): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const thrownBy = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

describe.each(FETCHES)('%s', (_, ask) => {
  test('gives status, address and body, and headers by names in any case', async () => {
    const url = await serve((_request, response) => response.writeHead(200, { ETag: '"x"' }).end('{"ü":1}'))
    const answer = await ask(`${url}/a%20b?c=d`)
    expect(answer).toMatchObject({ ok: true, status: 200, url: `${url}/a%20b?c=d` })
    expect([answer.headers.get('etag'), answer.headers.get('ETAG'), answer.headers.get('none')]).toEqual([
      '"x"',
      '"x"',
      null,
    ])
    expect([answer.headers.has('Etag'), answer.headers.has('none')]).toEqual([true, false])
    expect(await jsonOf(answer)).toEqual({ ü: 1 })
    expect(await textOf(await ask(new URL(url)))).toBe('{"ü":1}')
    expect(String(await bytesOf(await ask(url)))).toBe('{"ü":1}')
  })

  test('returns a response with an error status', async () => {
    const url = await serve((_request, response) => response.writeHead(404, { 'X-Error-Code': 'RepoNotFound' }).end())
    const answer = await ask(url)
    expect([answer.ok, answer.status, answer.headers.get('x-error-code')]).toEqual([false, 404, 'RepoNotFound'])
    await answer.body?.cancel()
  })

  test('sends method, headers and body', async () => {
    const url = await serve(async (request, response) => {
      const body = (await request.toArray()).join('')
      response.end(JSON.stringify({ method: request.method, type: request.headers['content-type'], body }))
    })
    const answer = await ask(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"a":1}' })
    expect(await jsonOf(answer)).toEqual({ method: 'POST', type: 'application/json', body: '{"a":1}' })
  })

  test.each([301, 302, 303, 307, 308])(
    'follows a redirect with HTTP %i, and states the final address',
    async (status) => {
      const url = await serve((request, response) => {
        if (request.url === '/b/c') response.end(`${request.method} ${request.headers.authorization}`)
        else response.writeHead(status, { Location: '../b/c' }).end('moved')
      })
      const answer = await ask(`${url}/a/x`, { headers: { Authorization: 'Bearer t' } })
      expect([answer.url, await textOf(answer)]).toEqual([`${url}/b/c`, 'GET Bearer t'])
    },
  )

  test.each([
    [301, 'GET '],
    [302, 'GET '],
    [303, 'GET '],
    [307, 'POST body'],
    [308, 'POST body'],
  ])('follows a redirected POST with HTTP %i by "%s"', async (status, seen) => {
    const url = await serve(async (request, response) => {
      if (request.url === '/') return response.writeHead(status, { Location: '/b' }).end()
      response.end(`${request.method} ${(await request.toArray()).join('')}`)
    })
    expect(await textOf(await ask(`${url}/`, { method: 'POST', body: 'body' }))).toBe(seen)
  })

  test('sends no token to another origin, nor when that origin redirects back to the first', async () => {
    const seen: string[] = []
    const other = await serve((request, response) => {
      seen.push(`other ${request.headers.authorization}`)
      response.writeHead(302, { Location: `${home}/end` }).end()
    })
    const home: string = await serve((request, response) => {
      seen.push(`home ${request.headers.authorization}`)
      if (request.url === '/end') response.end('here')
      else response.writeHead(302, { Location: other }).end()
    })
    const answer = await ask(`${home}/begin`, { headers: { Authorization: 'Bearer secret' } })
    expect(await textOf(answer)).toBe('here')
    expect(seen).toEqual(['home Bearer secret', 'other undefined', 'home undefined'])
  })

  test('follows a redirect whose Location header is raw UTF-8', async () => {
    const url = await serve((request, response) => {
      if (request.url === '/') response.writeHead(302, { Location: Buffer.from('/ü').toString('latin1') }).end()
      else response.end(request.url)
    })
    expect(await textOf(await ask(`${url}/`))).toBe('/%C3%BC')
  })

  test('reports an address that is not HTTP as a network error', async () => {
    expect(isNetworkError(await thrownBy(ask('ftp://127.0.0.1/x')))).toBe(true)
  })

  test.each(['/', 'ftp://127.0.0.1/x', 'http://[', 'file:///etc/passwd'])(
    'reports a redirect to %s, which cannot be followed, as a network error',
    async (location) => {
      const url = await serve((_request, response) => response.writeHead(302, { Location: location }).end())
      expect(isNetworkError(await thrownBy(ask(`${url}/`)))).toBe(true)
    },
  )

  test.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ] as const)('decompresses a body that is sent as %s', async (encoding, compress) => {
    const text = 'a text that is sent compressed, '.repeat(10_000)
    const url = await serve((_request, response) =>
      response.writeHead(200, { 'Content-Encoding': encoding }).end(compress(text)),
    )
    expect(await textOf(await ask(url))).toBe(text)
    expect(String(await bytesOf(await ask(url)))).toBe(text)
  })

  test('requests a part of a file without compression', async () => {
    const url = await serve((request, response) => response.end(request.headers['accept-encoding']))
    expect(await textOf(await ask(url, { headers: { Range: 'bytes=0-' } }))).toBe('identity')
    expect(await textOf(await ask(url))).toContain('gzip')
  })

  test('receives a large body completely, even if its reader is slower than the server', async () => {
    const body = Buffer.from(Array.from({ length: 3_000_000 }, (_unused, index) => index % 251))
    const url = await serve((_request, response) => response.end(body))
    const chunks: Uint8Array[] = []
    for await (const chunk of chunksOf((await ask(url)).body, new AbortController().signal)) {
      chunks.push(chunk)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    expect(Buffer.concat(chunks).equals(body)).toBe(true)
  })

  test.each<[string, (socket: Socket) => void]>([
    ['closes the connection', (socket) => socket.end()],
    ['resets the connection', (socket) => socket.resetAndDestroy()],
    ['does not speak HTTP', (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')],
    ['sends invalid headers', (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n')],
    [
      'switches to another protocol',
      (socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    ],
  ])('reports a server that %s as a network error', async (_name, onRequest) => {
    const url = await serveRaw((socket) => void socket.once('data', () => onRequest(socket)))
    expect(isNetworkError(await thrownBy(ask(url)))).toBe(true)
  })

  test.each<[string, string]>([
    ['ends before its Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort'],
    ['ends within a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nshort'],
    ['has an invalid chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\nshort\r\n'],
  ])('reports a body that %s as a network error', async (_name, sent) => {
    const url = await serveRaw((socket) => void socket.once('data', () => socket.end(sent)))
    expect(isNetworkError(await thrownBy(ask(url).then((answer) => bytesOf(answer))))).toBe(true)
  })

  test('states the reason when no server listens', async () => {
    const server = createTcpServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const error = await thrownBy(ask(`http://127.0.0.1:${port}/`))
    expect([isNetworkError(error), rootMessage(error)]).toEqual([true, expect.stringContaining('ECONNREFUSED')])
  })

  test("throws the signal's reason when it aborts before the request, before the response or in the body", async () => {
    const reason = new Error('enough')
    const url = await serve((request, response) => {
      if (request.url === '/body') response.writeHead(200, { 'Content-Length': 10 }).write('first')
    })
    expect(await thrownBy(ask(url, { signal: AbortSignal.abort(reason) }))).toBe(reason)
    const waiting = new AbortController()
    const asked = thrownBy(ask(url, { signal: waiting.signal }))
    setTimeout(() => waiting.abort(reason), 20)
    expect(await asked).toBe(reason)
    const controller = new AbortController()
    const answer = await ask(`${url}/body`, { signal: controller.signal })
    const body = thrownBy(bytesOf(answer, controller.signal))
    controller.abort(reason)
    expect(await body).toBe(reason)
  })

  test('closes the connection when a body is cancelled', async () => {
    let closed: Promise<unknown> | undefined
    const url = await serve((_request, response) => {
      closed = once(response, 'close')
      response.writeHead(200, { 'Content-Length': 10_000_000 }).write('first')
    })
    const read = (await ask(url)).body?.getReader()
    await read?.read()
    await read?.cancel()
    await closed
    await (await ask(url)).body?.cancel()
    await closed
  })

  test('causes no unhandled error when a body breaks that nobody reads', async () => {
    const url = await serveRaw((socket) =>
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort')
        setTimeout(() => socket.resetAndDestroy(), 10)
      }),
    )
    const answer = await ask(url)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(isNetworkError(await thrownBy(textOf(answer)))).toBe(true)
  })

  test('uses a connection again for the next request', async () => {
    const ports = new Set<number | undefined>()
    const url = await serve((request, response) => {
      ports.add(request.socket.remotePort)
      if (request.url === '/') response.writeHead(302, { Location: '/b', 'Content-Length': 5 }).end('moved')
      else response.end('here')
    })
    for (let turn = 0; turn < 5; turn++) expect(await textOf(await ask(`${url}/`))).toBe('here')
    // The first connection may still receive the redirect's body when the redirect is followed.
    expect(ports.size).toBeLessThanOrEqual(2)
  })
})

describe('the direct fetch', () => {
  test('reports a broken compressed body as a network error', async () => {
    const url = await serve((_request, response) =>
      response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync('a text').subarray(0, 12)),
    )
    expect(isNetworkError(await thrownBy(directFetch(url).then((answer) => textOf(answer))))).toBe(true)
  })

  test('sends the request again when the server closed the kept connection', async () => {
    let connections = 0
    const url = await serveRaw((socket) => {
      const isFirst = ++connections === 1
      let requests = 0
      socket.on('data', () => {
        if (isFirst && ++requests === 2) socket.resetAndDestroy()
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere')
      })
    })
    for (let turn = 0; turn < 2; turn++) expect(await textOf(await directFetch(url))).toBe('here')
    expect(connections).toBe(2)
  })

  test('lets the process end while a discarded body has not arrived', async () => {
    const heads = {
      '/redirect': 'HTTP/1.1 302 Found\r\nLocation: /here\r\nContent-Length: 10',
      '/missing': 'HTTP/1.1 404 Not Found\r\nContent-Length: 10',
      '/here': 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close',
    }
    const url = await serveRaw((socket) =>
      socket.on('data', (asked) => {
        const head = Object.entries(heads).find(([path]) => String(asked).startsWith(`GET ${path} `))?.[1]
        socket.write(`${head}\r\n\r\n`)
      }),
    )
    const program = `import(process.argv[1]).then(async ({ directFetch }) => {
      await (await directFetch(process.argv[2] + '/redirect')).body.getReader().read()
      await (await directFetch(process.argv[2] + '/missing')).body.cancel()
      console.log('done')
    })`
    const module = new URL('../../src/net/direct-fetch.ts', import.meta.url).href
    const args = ['--import', 'tsx', '--eval', program, module, url]
    expect(await execa(process.execPath, args, { timeout: 200_000 })).toMatchObject({ stdout: 'done' })
  })

  test('reports a server that never completes the TLS handshake as a network error', async () => {
    const { setTimeout } = originals
    vi.spyOn(originals, 'setTimeout').mockImplementation(((act: () => void, ms: number) =>
      setTimeout(act, ms / 50)) as typeof setTimeout)
    onTestFinished(() => void vi.restoreAllMocks())
    const url = await serveRaw(() => undefined)
    const error = await thrownBy(directFetch(url.replace('http:', 'https:')))
    expect([isNetworkError(error), rootMessage(error)]).toEqual([true, expect.stringContaining('no connection')])
  })

  test('accepts a TLS server only with a trusted certificate', async () => {
    const engine = await Engine.start(onTestFinished)
    engine.hub.addRepo('org/name', {
      files: { 'config.json': '{}', 'weights.bin': Buffer.alloc(3_000_000, 'weights') },
    })
    const tls = await startTls(engine.hub.url)
    onTestFinished(tls.close)
    const certificate = join(engine.folder, 'certificate.pem')
    await writeFile(certificate, CERTIFICATE)
    const options = { hub: { endpoint: tls.url, concurrency: 8 } }
    const stranger = await (await engine.spawn(options)).do('get', ['org/name'])
    expect(stranger.errors).toEqual([expect.stringContaining('self-signed certificate')])
    const friend = await (await engine.spawn(options, { NODE_EXTRA_CA_CERTS: certificate })).do('get', ['org/name'])
    expect(friend.errors).toEqual([])
    expect(engine.filesAsked.sort()).toEqual(['config.json', 'weights.bin'])
  })
})

describe('requests to the Hub are sent', () => {
  const program = (before: string) => `(async () => {
    ${before}
    await import(process.argv[1]).then(async ({ findFetch }) => {
      const { originals } = await import(process.argv[2])
      const ask = await findFetch(process.env)
      console.log(ask === originals.fetch ? 'by fetch' : ask.name)
    })
  })()`
  const EXTERNAL = { cwd: process.cwd(), extendEnv: false } as const
  const modules = ['net/find-fetch', 'platform/originals'].map(
    (name) => new URL(`../../src/${name}.ts`, import.meta.url).href,
  )
  const howItAsks = async (before: string, env: Record<string, string> = {}) => {
    const args = ['--import', 'tsx', '--eval', program(before), ...modules]
    const { stdout } = await execa(process.execPath, args, {
      ...EXTERNAL,
      env: { PATH: process.env.PATH ?? '', ...env },
    })
    return stdout
  }

  test.each<[string, string]>([
    ['where nothing changed fetch', ''],
    ['where the original fetch was used before', "await fetch('data:,')"],
  ])('by the direct fetch %s', async (_name, before) => {
    expect(await howItAsks(before)).toBe('directFetch')
  })

  test.each<[string, string, Record<string, string>]>([
    ['in a worker of Vitest, where a suite may have mocked node:http', '', { VITEST_WORKER_ID: '1' }],
    ['where Node.js is configured to use a proxy', '', { NODE_USE_ENV_PROXY: '1' }],
    [
      'where the package undici sets a dispatcher',
      "require('undici').setGlobalDispatcher(new (require('undici').Agent)())",
      {},
    ],
    [
      'where the dispatcher has another class',
      "globalThis[Symbol.for('undici.globalDispatcher.1')] = new (class ProxyAgent {})()",
      {},
    ],
    [
      'where node:http goes to our bridge, even without the variables of Vitest',
      `require(${JSON.stringify(join(inject('packedPackage'), 'dist/intercept/preload.cjs'))})`,
      {},
    ],
    ['where fetch was replaced', 'globalThis.fetch = async () => new Response()', {}],
  ])('by the fetch of Node.js %s', async (_name, before, env) => {
    expect(await howItAsks(before, env)).toBe('by fetch')
  })
})
