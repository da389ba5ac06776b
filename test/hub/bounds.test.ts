import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { fetchModel, fetchTree } from '../../src/hub/api.ts'
import { fetchRaw } from '../../src/hub/raw.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { parseCommit } from '../../src/model/revision.ts'
import { directFetch } from '../../src/net/direct-fetch.ts'
import type { Fetch } from '../../src/net/fetch.ts'
import { proxyFetch } from '../../src/net/proxy.ts'
import { refusalOf } from '../support/engine.ts'

const REPO = { repo: parseRepoId('org/name'), asked: 'Model org/name' }
const COMMIT = parseCommit('a'.repeat(40), 'a test')
const MEGABYTE = 2 ** 20
const LIMIT = 32 * MEGABYTE

const FETCHES: [string, Fetch][] = [
  ['the fetch of Node.js', fetch],
  ['the direct fetch', directFetch],
]

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Sends pieces as long as the client reads, up to ten times the limit. Resolves to the number of sent bytes. */
function sendOn(response: ServerResponse, piece: Buffer): Promise<number> {
  let sent = 0
  const send = () => {
    while (sent < 10 * LIMIT) {
      sent += piece.byteLength
      if (!response.write(piece)) return
    }
    response.end()
  }
  response.on('drain', send)
  send()
  return once(response, 'close').then(() => sent)
}

describe.each(FETCHES)('by %s, a response of the API that is too large', (_, ask) => {
  const spaces = Buffer.alloc(LIMIT + MEGABYTE, ' ')

  test.each([
    ['br', brotliCompressSync(spaces, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })],
    ['gzip', gzipSync(spaces, { level: 1 })],
  ])('is refused even if it is small when compressed with %s', async (encoding, body) => {
    const endpoint = await serve((_request, response) =>
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Encoding': encoding }).end(body),
    )
    const error = await refusalOf(fetchModel({ endpoint, fetch: ask }, { ...REPO, revision: 'main' }))
    expect(error).toMatchObject({ code: 'HUB_ERROR', asked: 'Model org/name' })
    expect(error.reason).toMatch(/^The response of http:\S+ is larger than 32(\.0)? Mi?B/)
    expect(error.nextStep).toContain('HF_ENDPOINT')
  })

  test('is read only up to the limit, even if the server sends more', async () => {
    const sent: Promise<number>[] = []
    const endpoint = await serve((_request, response) => {
      sent.push(sendOn(response.writeHead(200, { 'Content-Type': 'application/json' }), Buffer.alloc(MEGABYTE, ' ')))
    })
    const hub = { endpoint, fetch: ask }
    const refused = { code: 'HUB_ERROR', reason: expect.stringContaining(endpoint) }
    expect(await refusalOf(fetchTree(hub, { ...REPO, commit: COMMIT }))).toMatchObject(refused)
    const raw = fetchRaw(hub, { address: '/api/models/org/name', method: 'GET' })
    expect(await refusalOf(raw)).toMatchObject(refused)
    // The server has also sent what is in the buffers of the operating system.
    for (const bytes of await Promise.all(sent)) expect(bytes).toBeLessThan(2 * LIMIT)
    expect(sent).toHaveLength(2)
  })
})

test('a response of the API that is too large is refused through a proxy too', async () => {
  const proxy = createServer((_request, response) => {
    void sendOn(response.writeHead(200, { 'Content-Type': 'application/json' }), Buffer.alloc(MEGABYTE, ' '))
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  // undici opens a tunnel (CONNECT) for plain HTTP too.
  proxy.on('connect', (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    proxy.emit('connection', socket)
  })
  onTestFinished(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  const ask = await proxyFetch({ HTTP_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` })
  if (!ask) throw new Error('There is no proxy')
  const request = { ...REPO, revision: 'main' }
  const error = await refusalOf(fetchModel({ endpoint: 'http://hub.example', fetch: ask }, request))
  expect(error).toMatchObject({ code: 'HUB_ERROR', reason: expect.stringContaining('larger than 32') })
})
