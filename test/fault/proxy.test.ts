import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { contentsOf, Engine } from '../support/engine.ts'

const FILES = { 'config.json': '{}', 'weights.bin': 'weights' }

let engine: Engine
let proxy: { url: string; targets: string[] }

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/name', { files: FILES })
  proxy = await startProxy()
})

/** A forward proxy that opens tunnels and records their targets. */
async function startProxy() {
  const targets: string[] = []
  const sockets = new Set<Socket>()
  const server: Server = createServer()
  server.on('connect', (request, socket: Socket) => {
    targets.push(request.url ?? '')
    const [host, port] = (request.url ?? '').split(':')
    const upstream = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      upstream.pipe(socket).pipe(upstream)
    })
    for (const end of [socket, upstream]) {
      sockets.add(end)
      end.on('error', () => end.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, targets }
}

const hostOf = (url: string) => new URL(url).host

test.each(['HTTP_PROXY', 'http_proxy'])('requests to the Hub and its CDN go through the proxy of %s', async (name) => {
  const model = await engine.open({ env: { [name]: proxy.url } }).get('org/name')
  expect(await contentsOf(model)).toEqual(FILES)
  expect([...new Set(proxy.targets)].sort()).toEqual([hostOf(engine.hub.url), hostOf(engine.hub.cdnUrl)].sort())
})

test('a proxy may be given as a host without a scheme', async () => {
  await engine.open({ env: { HTTP_PROXY: hostOf(proxy.url) } }).get('org/name')
  expect(proxy.targets).toContain(hostOf(engine.hub.url))
})

test('an invalid proxy address is an error that names the variable and does not show its value', async () => {
  const refused = engine.open({ env: { HTTP_PROXY: 'ftp://user:secret@host' } }).get('org/name')
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_OPTION', asked: 'Environment variable HTTP_PROXY' })
  await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining('secret') })
})

test('requests to a host in NO_PROXY do not go through the proxy', async () => {
  await engine.open({ env: { HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.1' } }).get('org/name')
  expect(proxy.targets).toEqual([])
})

test('a proxy that does not listen is HUB_UNREACHABLE, and the error suggests to check the proxy', async () => {
  const env = { HTTP_PROXY: 'http://127.0.0.1:9' }
  await expect(engine.open({ env, stallMs: 30_000 }).get('org/name')).rejects.toMatchObject({
    code: 'HUB_UNREACHABLE',
    nextStep: expect.stringContaining('proxy'),
  })
})
