import { readdirSync, readlinkSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { contentsOf, Engine, filesOf } from '../support/engine.ts'
import { TestServing } from '../support/serving.ts'

const TOKEN = 'hf_of_the_owner'
const LARGE = 'w'.repeat(3_000_000)
const FILE = '/org/large/resolve/main/weights.bin'

// The machine may be busy with other tests.
const PATIENT = { timeout: 60_000 }

let engine: Engine
beforeEach(async () => {
  engine = await Engine.start(onTestFinished, { token: TOKEN })
  engine.hub.addRepo('org/large', { files: { 'weights.bin': LARGE, 'config.json': '{}' } })
  engine.hub.addRepo('org/secret', { files: { 'config.json': '{"secret":true}' }, private: true })
  engine.hub.addRepo('org/gated', { files: { 'config.json': '{"gated":true}' }, gated: 'auto' })
})

const serve = (settings: Parameters<typeof TestServing.start>[2] = {}) =>
  TestServing.start(engine, onTestFinished, { pullThrough: true, ...settings })

/** The environment of a machine whose owner is logged in. */
const loggedIn = () => ({ env: { HF_ENDPOINT: engine.hub.url, HF_TOKEN: TOKEN } })

async function blobs(): Promise<string[]> {
  return (await engine.listing('hub')).filter((path) => path.includes('/blobs/'))
}

describe('an empty server', () => {
  test('downloads each file once for eight machines that start at once, and offline serves them again', async () => {
    const server = await serve()
    const hub = { endpoint: server.url, concurrency: 8 }
    const machines = [...Array(8).keys()].map((index) =>
      engine.open({ cacheDir: join(engine.folder, `${index}`), hub }),
    )
    const got = await Promise.all(machines.map((machine) => machine.get(filesOf('org/large', '**'))))
    for (const model of got) expect(await contentsOf(model)).toEqual({ 'weights.bin': LARGE, 'config.json': '{}' })
    expect(engine.fileBytes).toBe(LARGE.length + 2)
    // The commit, the listing, and what the Hub says of the model besides.
    expect(engine.hub.requests.filter(({ kind }) => kind === 'api')).toHaveLength(3)
    await engine.hub.stopListening()
    expect((await server.ask(FILE)).body).toBe(LARGE)
    expect(await server.close()).toMatchObject({ requests: expect.any(Number), downloadedBytes: LARGE.length + 2 })
    // What clients used counts as used, and the server claims nothing any more.
    const [entry] = await engine.open().list()
    expect(entry?.hits).toBeGreaterThan(8)
    expect(await readdir(engine.inCache('leases'))).toEqual([])
  })

  test('goes on with a download when the client that asked for it closes the connection', async () => {
    const server = await serve()
    engine.hub.throttle({ total: 3_000_000 })
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    socket.write(`GET ${FILE} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    await engine.hub.waitForRequest({ kind: 'cdn' })
    const waiting = server.ask(FILE)
    socket.destroy()
    expect((await waiting).body).toBe(LARGE)
    expect(engine.fileBytes).toBe(LARGE.length)
    expect(server.lines).toContain(`GET ${FILE} cut`)
  })

  test('gives a client of Python a sign of life while it downloads, since such a client waits for ten seconds only', async () => {
    const server = await serve({ patience: { python: 20, own: 60_000 } })
    engine.hub.fault({ kind: 'cdn' }, { delayMs: 300 })
    const request = (agent: string) =>
      server.send(`GET ${FILE} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: ${agent}\r\nConnection: close\r\n\r\n`)
    const answers = await Promise.all(['unknown/None; hf_hub/2.0.0; python/3.11.7', 'node'].map(request))
    expect(answers[0]).toMatch(/^(HTTP\/1\.1 100 Continue\r\n\r\n){2,}HTTP\/1\.1 200 OK\r\n/)
    expect(answers[1]).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  })

  test('tells this package when to ask again, since it takes a request without an answer for lost', async () => {
    const server = await serve({ patience: { python: 60_000, own: 20 } })
    engine.hub.fault({ kind: 'cdn' }, { delayMs: 300 })
    const hub = { endpoint: server.url, concurrency: 8 }
    const client = engine.open({ cacheDir: join(engine.folder, 'client'), hub })
    const got = await client.get(filesOf('org/large', 'weights.bin'))
    expect(await contentsOf(got)).toEqual({ 'weights.bin': LARGE })
    expect(server.lines.filter((line) => line.endsWith('weights.bin 503')).length).toBeGreaterThan(0)
    expect(engine.fileBytes).toBe(LARGE.length)
  })

  test('serves no byte of a file that differs from its digest', async () => {
    const server = await serve()
    engine.hub.fault({ kind: 'cdn' }, { flipByte: 2_000_000 })
    const answer = await server.ask(FILE)
    expect(answer).toMatchObject({ status: 502, body: expect.not.stringContaining('www') })
    expect(await blobs()).toEqual([])
  })

  test('passes on what the Hub says, with the time until the next try', async () => {
    const server = await serve()
    const cases = [
      [{ status: 429, retryAfter: 400 }, 429, '400'],
      [{ status: 503, retryAfter: 400 }, 503, '400'],
      [{ status: 418 }, 502, undefined],
    ] as const
    for (const [fault, status, retryAfter] of cases) {
      const end = engine.hub.fault({ repo: 'org/large' }, fault)
      const answer = await server.ask('/api/models/org/large')
      expect(answer).toMatchObject({ status, headers: { 'content-type': 'application/json' } })
      expect(answer.headers['retry-after']).toBe(retryAfter)
      end()
    }
  })

  test('says that a repo, a revision or a file does not exist as the Hub does, and asks the Hub once', async () => {
    const server = await serve()
    const codeOf = async (path: string) => {
      const { status, headers } = await server.ask(path)
      return `${status} ${headers['x-error-code']}`
    }
    expect(await codeOf('/org/none/resolve/main/config.json')).toBe('401 RepoNotFound')
    expect(await codeOf('/org/none/resolve/main/other.json')).toBe('401 RepoNotFound')
    expect(await codeOf('/org/large/resolve/v9/config.json')).toBe('404 RevisionNotFound')
    expect(await codeOf('/org/large/resolve/main/none.json')).toBe('404 EntryNotFound')
    expect(engine.hub.requests.filter(({ repo }) => repo === 'org/none')).toHaveLength(1)
  })

  test('serves a renamed repo by both names', async () => {
    engine.hub.renameRepo('org/large', 'org/renamed')
    const server = await serve()
    for (const repo of ['org/large', 'org/renamed']) {
      expect((await server.ask(`/${repo}/resolve/main/weights.bin`)).body).toBe(LARGE)
      expect(JSON.parse((await server.ask(`/api/models/${repo}`)).body)).toMatchObject({ id: 'org/renamed' })
    }
    expect(engine.fileBytes).toBe(LARGE.length)
    const offline = await serve({ pullThrough: false })
    expect((await offline.ask(FILE)).body).toBe(LARGE)
  })

  test('asks the Hub without the token of its machine, unless clients send the token of the server', async () => {
    const open = await serve({ cache: loggedIn() })
    for (const repo of ['org/secret', 'org/gated'])
      expect(await open.ask(`/${repo}/resolve/main/config.json`)).toMatchObject({
        ...{ status: 401, headers: { 'x-error-code': 'RepoNotFound' } },
      })
    expect(engine.hub.requests.filter(({ authorization }) => authorization)).toEqual([])
    const closed = await serve({ cache: loggedIn(), token: 'of-the-server' })
    const right = { Authorization: 'Bearer of-the-server' }
    expect((await closed.ask('/org/secret/resolve/main/config.json', right)).body).toBe('{"secret":true}')
    expect((await closed.ask('/org/gated/resolve/main/config.json', right)).body).toBe('{"gated":true}')
    // They are in the cache now, and still not for everybody.
    for (const repo of ['org/secret', 'org/gated'])
      expect((await open.ask(`/${repo}/resolve/main/config.json`)).status).toBe(401)
    const poor = await serve({ cache: { cacheDir: join(engine.folder, 'other') }, token: 'of-the-server' })
    const refused = await poor.ask('/org/gated/resolve/main/config.json', right)
    expect(refused).toMatchObject({ status: 403, headers: { 'x-error-code': 'GatedRepo' } })
  })

  test('tells what the Hub says of a model besides, and does without where the Hub does not answer', async () => {
    const stated = { libraryName: 'transformers', tags: ['onnx'] }
    for (const repo of ['org/one', 'org/two']) engine.hub.addRepo(repo, { files: { 'config.json': '{}' }, ...stated })
    const infoOf = async (server: TestServing, repo: string) =>
      JSON.parse((await server.ask(`/api/models/${repo}`)).body)
    const server = await serve()
    const fields = { library_name: 'transformers', tags: ['onnx'], siblings: [{ rfilename: 'config.json' }] }
    expect(await infoOf(server, 'org/one')).toMatchObject({ id: 'org/one', ...fields })
    const end = engine.hub.fault({ path: /org\/two\/revision\/[0-9a-f]{40}$/ }, { status: 404 })
    expect(await infoOf(server, 'org/two')).toMatchObject({ id: 'org/two', tags: [], siblings: fields.siblings })
    end()
    const offline = await serve({ pullThrough: false })
    expect(await infoOf(offline, 'org/one')).toMatchObject({ id: 'org/one', ...fields })
    expect(await infoOf(offline, 'org/two')).not.toHaveProperty('library_name')
  })

  test('is offline where the options say so', async () => {
    const server = await serve({ cache: { offline: true } })
    expect((await server.ask(FILE)).status).toBe(401)
    expect(engine.hub.requests).toEqual([])
  })
})

describe('the limit `maxSize`', () => {
  beforeEach(() => void engine.hub.addRepo('org/other', { files: { 'weights.bin': 'o'.repeat(2_000_000) } }))
  const OTHER = '/org/other/resolve/main/weights.bin'

  test('makes models that no client uses go, and refuses what does not fit beside those in use', async () => {
    const server = await serve({ cache: { maxSize: 4_000_000 }, idleMs: 0 })
    expect((await server.ask(FILE)).status).toBe(200)
    await expect.poll(async () => (await server.ask(OTHER)).status, PATIENT).toBe(200)
    expect((await engine.open().list()).filter(({ files }) => files.size > 0).map(({ repo }) => repo)).toEqual([
      'org/other',
    ])
    const patient = await serve({ cache: { maxSize: 4_000_000 } })
    expect((await patient.ask(OTHER)).status).toBe(200)
    expect(await patient.ask(FILE)).toMatchObject({ status: 507, body: expect.not.stringContaining(engine.folder) })
    expect(patient.problems.join()).toMatch(/models in use now take 1.91 MiB of 3.81 MiB/)
    expect((await patient.ask(OTHER)).body).toHaveLength(2_000_000)
  })

  test('refuses a model that is larger, and downloads nothing of it', async () => {
    const server = await serve({ cache: { maxSize: 1_000_000 } })
    expect((await server.ask(FILE)).status).toBe(507)
    expect(engine.fileBytes).toBe(0)
  })
})

describe('a model that a client uses', () => {
  test('stays while other runs make room, and its open files are read to their end', async () => {
    const server = await serve()
    await server.ask('/org/large/resolve/main/config.json')
    const other = engine.open()
    expect((await other.clean()).removed).toEqual([])
    await expect(other.remove('org/large')).rejects.toMatchObject({ code: 'IN_USE' })
  })

  test('is closed when clients that read nothing go away', async () => {
    const server = await serve()
    // More than the buffers of a connection hold.
    engine.hub.addRepo('org/huge', { files: { 'weights.bin': Buffer.alloc(40_000_000) } })
    const path = '/org/huge/resolve/main/weights.bin'
    await server.ask(path)
    const opened = () => {
      const targets = readdirSync('/proc/self/fd').map((name) => {
        try {
          return readlinkSync(`/proc/self/fd/${name}`)
        } catch {
          return ''
        }
      })
      return targets.filter((target) => target.startsWith(engine.cacheDir)).length
    }
    const port = Number(new URL(server.url).port)
    const sockets = [...Array(20)].map(() => connect(port, '127.0.0.1'))
    for (const socket of sockets) {
      socket.on('error', () => undefined).pause()
      // The second answer waits behind the first.
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(2))
    }
    await expect.poll(opened, PATIENT).toBe(40)
    for (const socket of sockets) socket.destroy()
    await server.ended(41)
    await expect.poll(opened, PATIENT).toBe(0)
  })
})
