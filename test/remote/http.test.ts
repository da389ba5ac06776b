import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { openHttpStore } from '../../src/remote/http.ts'
import type { ObjectBody, RemoteStore } from '../../src/remote/store.ts'
import { sha256 } from '../support/engine.ts'
import { all, bodyOf, textOf } from '../support/remote/bodies.ts'
import { FAULTS, FaultyServer, sendStatus, sendWhole } from '../support/remote/faulty-server.ts'
import { NGINX, startNginx } from '../support/remote/nginx.ts'
import { startTunnel } from '../support/remote/tunnel.ts'
import { startTls } from '../support/tls.ts'

const { signal } = new AbortController()
const KEY = 'blobs/sha256/ab/abcd'
const PATH = `/models/${KEY}`
const TOKEN = 'the-secret-token'
const OBJECT = Buffer.from('0123456789')

const CLIENTS: [string, Record<string, string>][] = [
  ['node:http', {}],
  ['the fetch of Node.js, as in workers', { VITEST_WORKER_ID: '1' }],
]

async function started(): Promise<FaultyServer> {
  const server = await FaultyServer.start(onTestFinished)
  server.objects.set(PATH, OBJECT)
  return server
}

function storeAt(server: FaultyServer, env: Record<string, string> = {}): RemoteStore {
  return openHttpStore(new URL(`${server.url}/models`), { MODEL_CACHE_REMOTE_TOKEN: TOKEN, ...env })
}

async function readText(store: RemoteStore, range: { start?: number; end?: number } = {}): Promise<string | undefined> {
  return textOf(await store.get(KEY, { signal, ...range }))
}

/** What a call does: its result, or the failure of its error. No message may hold a secret. */
async function outcomeOf(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call
  } catch (error) {
    expect(error).toMatchObject({ name: 'RemoteError' })
    const { message, failure } = error as { message: string; failure: string }
    expect(message).not.toMatch(/secret|\?/)
    return failure
  }
}

describe.each(CLIENTS)('by %s', (client, env) => {
  test('an upload is streamed with its length, and asks the server not to replace an object', async () => {
    const server = await started()
    const store = storeAt(server, env)
    const bytes = Buffer.alloc(3_000_000, 'weights')
    expect(await store.put('blobs/new', bodyOf(bytes), { signal })).toBe('written')
    expect(server.objects.get('/models/blobs/new')?.equals(bytes)).toBe(true)
    expect(server.requests).toMatchObject([
      { method: 'HEAD', path: '/models/blobs/new' },
      {
        method: 'PUT',
        headers: { 'content-length': '3000000', 'if-none-match': '*', authorization: `Bearer ${TOKEN}` },
      },
    ])
    const { headers } = server.requests[1] as { headers: IncomingMessage['headers'] }
    expect(headers).not.toHaveProperty('transfer-encoding')
    expect('sec-fetch-mode' in headers).toBe(client !== 'node:http')
    expect(await store.put(KEY, bodyOf(Buffer.alloc(0)), { signal, overwrite: true })).toBe('written')
    expect(await readText(store)).toBe('')
  })

  test('a redirect is followed, and another origin gets no credentials, nor does the store after it', async () => {
    const [server, other] = [await started(), await started()]
    const store = storeAt(server, env)
    const away = `${other.url}/elsewhere?signature=secret`
    const redirect = (location: string) => sendStatus(302, { Location: location })
    for (const method of ['GET', 'HEAD'])
      server.faults.set(method, (asked, answer, object) => {
        if (asked.url === '/back') return sendWhole('way back')(asked, answer, object)
        return redirect(away)(asked, answer, object)
      })
    other.objects.set('/elsewhere?signature=secret', OBJECT)
    expect(await readText(store, { start: 3, end: 6 })).toBe('345')
    expect(await store.has(KEY, { signal })).toEqual({ size: 10 })
    other.faults.set('GET', redirect(`${server.url}/back`))
    expect(await readText(store)).toBe('way back')
    // A signed address can be valid for GET alone.
    other.faults.clear()
    other.faults.set('HEAD', sendStatus(403))
    expect(await store.has(KEY, { signal })).toEqual({ size: 10 })
    expect(other.requests.flatMap(({ headers }) => headers.authorization ?? [])).toEqual([])
    const withToken = server.requests.filter(({ headers }) => headers.authorization !== undefined)
    expect(withToken.map(({ path }) => path)).not.toContain('/back')
    expect(server.requests.map(({ path }) => path)).toContain('/back')
  })

  test('an upload goes to the origin of the store only', async () => {
    const [server, other] = [await started(), await started()]
    const store = storeAt(server, env)
    const upload = () => outcomeOf(store.put(KEY, bodyOf(OBJECT), { signal, overwrite: true }))
    const redirect = (status: number, location: string) =>
      server.faults.set('PUT', (asked, answer, object) => {
        if (asked.url === '/moved')
          return void asked
            .toArray()
            .then(([bytes]) => sendStatus(String(bytes) === String(OBJECT) ? 201 : 400)(asked, answer, object))
        sendStatus(status, { Location: location })(asked, answer, object)
      })
    for (const status of [301, 302, 303]) {
      redirect(status, '/moved')
      expect(await upload(), `${status}`).toBe('misused')
    }
    for (const status of [307, 308]) {
      redirect(status, '/moved')
      // Node.js's fetch would keep all bytes of an upload that it may have to send again.
      expect(await upload(), `${status}`).toBe(client === 'node:http' ? 'written' : 'misused')
      redirect(status, `${other.url}/moved?secret`)
      expect(await upload(), `${status} to another origin`).toBe('misused')
    }
    expect(other.requests).toEqual([])
  })

  test('a server that ignores Range, or is asked for too much, sends the right bytes', async () => {
    const server = await started()
    const store = storeAt(server, env)
    expect(await readText(store, { start: 8, end: 100 })).toBe('89')
    expect(await readText(store, { start: 10 })).toBe('')
    expect(await readText(store, { start: 4, end: 4 })).toBe('')
    expect(store.lacksRanges).toBe(false)
    server.faults.set('GET', (asked, answer, object = Buffer.alloc(0)) => sendWhole(object)(asked, answer, object))
    expect(await readText(store, { end: 10 })).toBe('0123456789')
    expect(store.lacksRanges).toBe(false)
    expect(await readText(store, { start: 3, end: 6 })).toBe('345')
    expect(store.lacksRanges).toBe(true)
    expect(await readText(store, { start: 7 })).toBe('789')
  })

  test.each<[keyof typeof FAULTS, unknown, unknown?]>([
    ['HTTP 401', 'denied'],
    ['HTTP 403', 'denied'],
    ['HTTP 404', undefined],
    ['HTTP 409', 'failed'],
    ['HTTP 412', 'failed'],
    ['HTTP 416', 'failed', ''],
    ['HTTP 429', 'busy'],
    ['HTTP 429 with a long Retry-After', 'busy'],
    ['HTTP 500', 'failed'],
    ['HTTP 503', 'busy'],
    ['an HTML page', 'misused'],
    ['compressed bytes', 'failed'],
    ['a body that is cut in the middle', 'unreachable'],
    ['a connection that breaks before the answer', 'unreachable'],
    ['a wrong Content-Range', 'failed'],
    ['a redirect to itself', 'failed'],
    ['a redirect to a file', 'failed'],
  ])('%s is reported as %s', async (fault, whole, part = whole) => {
    const server = await started()
    server.faults.set('GET', FAULTS[fault] ?? sendStatus(599))
    const store = storeAt(server, env)
    expect(await outcomeOf(readText(store))).toBe(whole)
    expect(await outcomeOf(readText(store, { start: 3, end: 6 }))).toBe(part)
    expect(server.requests.length).toBeLessThanOrEqual(fault === 'a redirect to itself' ? 12 : 2)
  })

  test('an endless body is read no further than its reader wants', async () => {
    const server = await started()
    let closed: Promise<unknown> | undefined
    server.faults.set('GET', (asked, answer, object) => {
      closed = once(answer, 'close')
      return FAULTS['an endless body']?.(asked, answer, object)
    })
    const store = storeAt(server, env)
    const part = await readText(store, { start: 5, end: 100_005 })
    expect(part?.length).toBe(100_000)
    await closed
    let left = 1e6
    for await (const chunk of (await store.get(KEY, { signal })) ?? []) {
      left -= chunk.length
      if (left < 0) break
    }
    await closed
  })

  test('a call without an answer, and one with half a body, ends with the reason of the signal', async () => {
    const server = await started()
    const reason = new Error('enough')
    const ended = async (call: (signal: AbortSignal) => Promise<unknown>) => {
      const controller = new AbortController()
      server.faults.set('*', () => controller.abort(reason))
      await expect(call(controller.signal)).rejects.toBe(reason)
    }
    const store = storeAt(server, env)
    await ended((signal) => store.has(KEY, { signal }))
    await ended((signal) => store.put(KEY, bodyOf(OBJECT), { signal, overwrite: true }))
    server.faults.set('GET', FAULTS['a body that hangs'] ?? sendStatus(599))
    const controller = new AbortController()
    const reading = (async () => {
      const chunks = await store.get(KEY, { signal: controller.signal })
      for await (const _ of chunks ?? []) controller.abort(reason)
    })()
    await expect(reading).rejects.toBe(reason)
  })

  test('an upload that is refused at once is not sent to its end', async () => {
    const server = await started()
    const store = storeAt(server, env)
    let sent = 0
    const large: ObjectBody = {
      size: 200e6,
      async *open() {
        for (let at = 0; at < 200; at++) {
          sent++
          yield Buffer.alloc(1e6)
        }
      },
    }
    const upload = () => outcomeOf(store.put(KEY, large, { signal, overwrite: true }))
    const early = (status: number) =>
      server.faults.set('PUT', (_asked, answer) => answer.writeHead(status, { 'Content-Length': 2 }).end('no'))
    early(403)
    expect(await upload()).toBe('denied')
    early(413)
    expect(await upload()).toBe('full')
    early(201)
    expect(await upload()).toBe('failed')
    expect(sent).toBeLessThan(300)
  })

  test('an upload keeps only few of its bytes in memory', async () => {
    const server = await started()
    server.faults.set('PUT', (asked, answer) => void asked.resume().on('end', () => answer.writeHead(201).end()))
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    const kept = () => {
      // The first one frees buffers in another thread. The second one waits for that.
      collect()
      collect()
      return process.memoryUsage().arrayBuffers
    }
    let grown = 0
    const large: ObjectBody = {
      size: 64e6,
      async *open() {
        const before = kept()
        for (let at = 0; at < 64; at++) yield Buffer.alloc(1e6)
        grown = kept() - before
      },
    }
    expect(await storeAt(server, env).put('blobs/new', large, { signal })).toBe('written')
    expect(grown).toBeLessThan(24e6)
  })

  test('bytes that can not be read, and of which there are too few or too many, are not a failure of the network', async () => {
    const server = await started()
    const store = storeAt(server, env)
    const broken: ObjectBody = {
      size: 10,
      open: async function* () {
        yield Buffer.from('0123')
        throw new Error('the disk is broken')
      },
    }
    for (const wrong of [broken, { ...bodyOf(OBJECT), size: 20 }, { ...bodyOf(OBJECT), size: 5 }])
      expect(await outcomeOf(store.put('blobs/new', wrong, { signal }))).toBe('failed')
    expect([...server.objects.keys()]).toEqual([PATH])
    expect(await store.put('blobs/new', bodyOf(OBJECT), { signal })).toBe('written')
  })
})

test('credentials are a token, or a user and a password, and are not sent over plain http to another machine', async () => {
  const open = (address: string, env: Record<string, string>) => () => openHttpStore(new URL(address), env)
  const [token, user, password] = ['MODEL_CACHE_REMOTE_TOKEN', 'MODEL_CACHE_REMOTE_USER', 'MODEL_CACHE_REMOTE_PASSWORD']
  const wrong: [string, Record<string, string>, RegExp][] = [
    ['http://cache.example/models', { [token]: TOKEN }, /TOKEN must not be sent over plain http/],
    ['http://cache.example/', { [user]: 'ci', [password]: 'the-secret' }, /plain http/],
    ['http://10.0.0.1/', { [token]: TOKEN }, /plain http/],
    ['http://127.0.0.1.example/', { [token]: TOKEN }, /plain http/],
    ['https://cache.example/', { [user]: 'ci' }, /MODEL_CACHE_REMOTE_USER is set alone/],
    ['https://cache.example/', { [password]: 'the-secret' }, /PASSWORD is set alone/],
    ['https://cache.example/', { [token]: TOKEN, [user]: 'ci' }, /Set either the token/],
    ['https://cache.example/', { [token]: 'secret\nX-Other: 1' }, /characters/],
    ['https://ci:the-secret@cache.example/', {}, /holds credentials/],
    ['https://cache.example/?key=the-secret', {}, /no query/],
  ]
  for (const [address, env, message] of wrong) {
    expect(open(address, env)).toThrow(
      expect.objectContaining({ failure: 'misused', message: expect.stringMatching(message) }),
    )
    expect(open(address, env)).toThrow(expect.objectContaining({ message: expect.not.stringMatching(/the-secret/) }))
  }
  expect(open('http://cache.example/models/', {})().name).toBe('http://cache.example/models')
  const server = await started()
  const env = { [user]: 'ci', [password]: 'pass:wörd\n', [token]: ' ' }
  expect(await readText(openHttpStore(new URL(`${server.url}/models/`), env))).toBe('0123456789')
  expect(server.requests.at(-1)?.headers.authorization).toBe(`Basic ${Buffer.from('ci:pass:wörd').toString('base64')}`)
})

test('a redirect from https to plain http is not followed', async () => {
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
  onTestFinished(() => void vi.unstubAllEnvs())
  const server = await started()
  const tls = await startTls(server.url)
  onTestFinished(tls.close)
  const store = openHttpStore(new URL(`${tls.url}/models`), { MODEL_CACHE_REMOTE_TOKEN: TOKEN })
  expect(await readText(store)).toBe('0123456789')
  server.faults.set('GET', sendStatus(302, { Location: server.url }))
  expect(await outcomeOf(readText(store))).toBe('failed')
  expect(server.methods).toEqual(['GET', 'GET'])
})

test('a server without HEAD, and one that states no sizes, are asked all the same', async () => {
  const server = await started()
  const store = storeAt(server)
  server.faults.set('HEAD', sendStatus(405))
  expect(await store.has(KEY, { signal })).toEqual({ size: 10 })
  expect(await store.has('blobs/none', { signal })).toBeUndefined()
  server.objects.set(PATH, Buffer.alloc(0))
  expect(await store.has(KEY, { signal })).toEqual({ size: 0 })
  server.faults.set('HEAD', (_asked, answer) => answer.writeHead(200, { 'Transfer-Encoding': 'chunked' }).end())
  expect(await store.has(KEY, { signal })).toEqual({ size: undefined })
  server.faults.set('HEAD', FAULTS['an HTML page'] ?? sendStatus(599))
  expect(await outcomeOf(store.has(KEY, { signal }))).toBe('misused')
})

test('a server that takes no uploads counts as one that refuses them', async () => {
  const server = await started()
  const store = storeAt(server)
  for (const status of [405, 501]) {
    server.faults.set('PUT', sendStatus(status))
    server.faults.set('DELETE', sendStatus(status))
    expect(await outcomeOf(store.put('blobs/new', bodyOf(OBJECT), { signal }))).toBe('denied')
    expect(await outcomeOf(store.remove?.(KEY, { signal }) ?? Promise.resolve())).toBe('denied')
  }
  server.faults.set('PUT', sendStatus(404))
  expect(await outcomeOf(store.put('blobs/new', bodyOf(OBJECT), { signal }))).toBe('misused')
})

test('a list names only objects of the store, whatever the server sends', async () => {
  const server = await started()
  const store = storeAt(server)
  const listed = () => outcomeOf(all(store.list?.('blobs/', { signal })))
  const item = (href: string, properties: string) =>
    `<response><href>${href}</href><propstat><prop>${properties}</prop></propstat></response>`
  const folder = '<resourcetype><collection/></resourcetype>'
  const send = (text: string, status = 207): void => {
    server.faults.set('PROPFIND', (_asked, answer) => answer.writeHead(status).end(text))
  }
  const list = (...items: string[]) => `<multistatus xmlns="DAV:">${items.join('')}</multistatus>`
  send(
    list(
      ...['/models/blobs/', '/models/blobs/../', '/models/', '/', '..', '../..'].map((href) => item(href, folder)),
      ...['/models/blobs/../../etc', '/models/blobs/%2e%2e', '/models/blobs/a%2Fb', 'x%00y', 'a b', '/etc/passwd'].map(
        (href) => item(href, '<getcontentlength>1</getcontentlength>'),
      ),
      item('/models/blobs/one', '<getcontentlength>3</getcontentlength>'),
      item(`${server.url}/models/blobs/two`, '<getlastmodified>Sat, 28 Nov 2026 10:00:00 GMT</getlastmodified>'),
    ),
  )
  const before = Date.now()
  expect(await listed()).toEqual([
    { key: 'blobs/one', size: 3, modifiedMs: expect.toSatisfy((ms: number) => ms >= before) },
    { key: 'blobs/two', size: 0, modifiedMs: Date.UTC(2026, 10, 28, 10) },
  ])
  expect(server.methods).toEqual(['PROPFIND'])
  send(list(item('x/', folder)))
  expect(await listed()).toEqual([])
  expect(server.methods.length).toBeLessThan(10)
  const nested = Array.from({ length: 10 }, (_unused, at) => `<!ENTITY e${at + 1} "${`&e${at};`.repeat(10)}">`).join('')
  send(`<!DOCTYPE x [<!ENTITY e0 "x">${nested}]>${list(item('&e10;', ''))}`)
  expect(['failed', []]).toContainEqual(await listed())
  send('<multistatus')
  expect(await listed()).toBe('failed')
  send('<html>', 200)
  expect(await listed()).toBe('misused')
  for (const [status, failure] of [
    [405, 'misused'],
    [403, 'denied'],
    [500, 'failed'],
  ] as const) {
    send('', status)
    expect(await listed()).toBe(failure)
  }
  server.faults.set('PROPFIND', (_asked, answer) => {
    answer.writeHead(207)
    const more = () => {
      while (answer.writable && answer.write(' '.repeat(1 << 20)));
    }
    answer.on('drain', more)
    more()
  })
  expect(await listed()).toBe('failed')
})

test('bazel-remote, which takes only its own names, keeps all objects under them', async () => {
  const server = await FaultyServer.start(onTestFinished)
  let validates = false
  server.faults.set('*', async (asked, answer, object) => {
    const [, kind, hash] = /^\/models\/(ac|cas)\/([0-9a-f]{64})$/.exec(asked.url ?? '') ?? []
    if (kind === undefined) return sendStatus(400)(asked, answer, object)
    if (asked.method !== 'PUT')
      return object ? sendWhole(object)(asked, answer, object) : sendStatus(404)(asked, answer, object)
    const bytes = Buffer.concat(await asked.toArray())
    const isRight = kind === 'cas' ? sha256(bytes) === hash : !validates
    if (isRight) server.objects.set(asked.url ?? '', bytes)
    sendStatus(isRight ? 200 : 400)(asked, answer, object)
  })
  const store = storeAt(server)
  const keys = [
    `blobs/sha256/${sha256(OBJECT).slice(0, 2)}/${sha256(OBJECT)}`,
    'blobs/sha1/ab/abcd',
    'models/a/b/small',
  ]
  for (const key of keys) expect(await store.put(key, bodyOf(OBJECT), { signal })).toBe('written')
  for (const key of keys) {
    expect(await store.put(key, bodyOf('other'), { signal })).toBe('exists')
    expect(await textOf(await store.get(key, { signal, start: 3, end: 6 }))).toBe('345')
  }
  const other = storeAt(server)
  expect(await textOf(await other.get('models/a/b/small', { signal }))).toBe('0123456789')
  expect(await other.has('models/none', { signal })).toBeUndefined()
  validates = true
  const upload = other.put('models/new', bodyOf(OBJECT), { signal })
  await expect(upload).rejects.toThrow(/disable_http_ac_validation/)
  // A server that answers 400 for other reasons keeps its names.
  server.faults.set('*', sendStatus(400))
  expect(await outcomeOf(storeAt(server).has(KEY, { signal }))).toBe('failed')
})

test('requests one after the other use the same connections', async () => {
  const server = await started()
  let connections = 0
  server.server.on('connection', () => connections++)
  const store = storeAt(server)
  for (let turn = 0; turn < 5; turn++) {
    await store.has(KEY, { signal })
    await store.has('blobs/none', { signal })
    await readText(store, { start: 2 })
    await store.put(`blobs/${turn}`, bodyOf(OBJECT), { signal })
  }
  // The next request can begin before the end of the last answer was seen.
  expect(connections).toBeLessThanOrEqual(2)
})

test('an upload reads no more than the server takes', async () => {
  const server = await started()
  let read = 0
  const controller = new AbortController()
  const asked = new Promise<void>((resolve) => server.faults.set('PUT', () => resolve()))
  const endless: ObjectBody = {
    size: 1e12,
    async *open() {
      for (;;) {
        read += 1e6
        yield Buffer.alloc(1e6)
      }
    },
  }
  const upload = storeAt(server).put(KEY, endless, { signal: controller.signal, overwrite: true })
  await asked
  // The bytes that fit into the buffers of the system have been read when nothing more was read for a while.
  for (let before = -1; before !== read; ) {
    before = read
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  controller.abort(new Error('enough'))
  await expect(upload).rejects.toThrow('enough')
  expect(read).toBeLessThan(64e6)
})

test('the proxy of the environment is used for other machines only', async () => {
  const server = await started()
  const tunnel = await startTunnel(server.url)
  onTestFinished(tunnel.close)
  const env = { HTTP_PROXY: tunnel.url }
  const far = openHttpStore(new URL('http://cache.example/models'), env)
  expect(await readText(far, { start: 3, end: 6 })).toBe('345')
  expect(await far.put('blobs/new', bodyOf(OBJECT), { signal })).toBe('written')
  expect(tunnel.hosts[0]).toBe('cache.example:80')
  const wrong = openHttpStore(new URL('http://cache.example/models'), { HTTP_PROXY: 'ftp://the-secret@proxy' })
  expect(await outcomeOf(wrong.has(KEY, { signal }))).toBe('misused')
  const count = tunnel.hosts.length
  expect(await readText(storeAt(server, env))).toBe('0123456789')
  expect(tunnel.hosts.length).toBe(count)
})

test.skipIf(NGINX === undefined)('nginx without DAV is read-only', async () => {
  const nginx = await startNginx({ methods: '' })
  onTestFinished(nginx.close)
  const store = openHttpStore(new URL(nginx.url), {})
  expect(await outcomeOf(store.put(KEY, bodyOf(OBJECT), { signal }))).toBe('denied')
  expect(await store.get(KEY, { signal })).toBeUndefined()
})
