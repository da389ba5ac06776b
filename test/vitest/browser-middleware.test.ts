import { readFileSync, statSync } from 'node:fs'
import { type OutgoingHttpHeaders, request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createViteServer } from 'vitest/node'
import { type ModelCacheOptions, resolveOptions } from '../../src/config/options.ts'
import { serveFromMiddleware } from '../../src/vitest/browser/serve.ts'
import { closeService, openService } from '../../src/vitest/browser/service.ts'
import { modelCache } from '../../src/vitest/plugin.ts'
import { Engine } from '../support/engine.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TOKEN = 'hf_of_the_owner'
const CONFIG = '{"model_type":"bert"}'
const WEIGHTS = 'weights '.repeat(100_000)

let engine: Engine
beforeEach(async () => {
  engine = await Engine.start(onTestFinished, { token: TOKEN })
  const files = { 'config.json': CONFIG, 'onnx/model.onnx': WEIGHTS, 'later.json': '{}' }
  engine.hub.addRepo('org/open', { files })
  engine.hub.addRepo('org/secret', { files, private: true })
  engine.hub.addRepo('org/other', { files })
  vi.stubEnv('HF_ENDPOINT', engine.hub.url)
  vi.stubEnv('HF_TOKEN', TOKEN)
})
afterEach(() => vi.unstubAllEnvs())

interface Asked {
  status: number
  headers: NodeJS.Dict<string | string[]>
  body: string
}

/** Starts a server with the plugin. Its pages may ask for the models in `warmed`. */
async function serve(warmed: string[], given: ModelCacheOptions = {}) {
  const options = resolveOptions(
    { models: warmed, ...given, cacheDir: engine.cacheDir, adopt: false },
    process.env,
    ROOT,
  )
  const cache = engine.open({ env: process.env })
  const results = await cache.warm(warmed.map((repo) => ({ repo, files: ['config.json', 'onnx/model.onnx'] })))
  const service = openService(options, ROOT)
  service.serve(await cache.manifest(results))
  // This config allows every host and every origin, so only the middleware can refuse a request.
  const open = { host: '127.0.0.1', port: 0, allowedHosts: true as const, cors: true, ws: false as const }
  const server = await createViteServer({
    ...{ root: engine.folder, configFile: false, logLevel: 'silent', plugins: [modelCache()] },
    ...{ server: { ...open, watch: null }, optimizeDeps: { noDiscovery: true } },
  })
  await server.listen()
  onTestFinished(async () => {
    closeService(service)
    await server.close()
  })
  const url = new URL(server.resolvedUrls?.local[0] ?? '')
  engine.hub.clearRequests()
  const ask = (path: string, headers: OutgoingHttpHeaders = {}, method = 'GET') =>
    new Promise<Asked>((resolve, reject) => {
      const sent = request({ host: url.hostname, port: url.port, path, method, headers }, async (response) => {
        let body = ''
        for await (const chunk of response.setEncoding('utf8')) body += chunk
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body })
      })
      sent.on('error', reject).end()
    })
  const { address, runtimes } = service.provided
  const hub = `${address}${engine.hub.url.replace('://', '/')}`
  return { ask, hub, address, runtimes, service, origin: url.origin }
}

describe('a page of the run', () => {
  test('gets a whole file, a part of it, or only its headers, with the content types of the Hub', async () => {
    const { ask, hub } = await serve(['org/open'])
    const file = `${hub}/org/open/resolve/main/onnx/model.onnx`
    const size = String(WEIGHTS.length)
    const weights = {
      'content-type': 'application/octet-stream',
      'accept-ranges': 'bytes',
      'cache-control': 'no-store',
    }
    expect(await ask(file)).toMatchObject({
      status: 200,
      body: WEIGHTS,
      headers: { ...weights, 'content-length': size },
    })
    expect(await ask(file, {}, 'HEAD')).toMatchObject({ status: 200, body: '', headers: { 'content-length': size } })
    expect(await ask(file, { range: 'bytes=8-15' })).toMatchObject({
      ...{ status: 206, body: 'weights ', headers: { ...weights, 'content-range': `bytes 8-15/${size}` } },
    })
    expect(await ask(file, { range: `bytes=${size}-` })).toMatchObject({ status: 416, body: '' })
    expect(await ask(`${hub}/org/open/resolve/main/config.json`)).toMatchObject({
      ...{ status: 200, body: CONFIG, headers: { 'content-type': 'text/plain; charset=utf-8' } },
    })
    expect(await ask(`${hub}/org/open/resolve/main/no-such.json`)).toMatchObject({
      ...{ status: 404, headers: { 'x-error-code': 'EntryNotFound' } },
    })
    expect(engine.hub.requests).toEqual([])
  })

  test('has its requests counted for the test file that it names', async () => {
    const { ask, hub, service } = await serve(['org/open'])
    const named = (file: string) => ({ 'x-model-cache-test-file': encodeURIComponent(file) })
    await ask(`${hub}/org/open/resolve/main/config.json`, named('/app/ä b.test.ts'))
    await ask(`${hub}/org/open/resolve/main/onnx/model.onnx`, named('/app/ä b.test.ts'))
    expect(service.drain('/app/ä b.test.ts')).toMatchObject({
      requests: [
        {
          repo: 'org/open',
          tier: 'disk',
          files: [
            ['config.json', 21],
            ['onnx/model.onnx', WEIGHTS.length],
          ],
        },
      ],
    })
    expect(service.drainAll()).toMatchObject([{ requests: [], errors: [] }])
  })

  test('gets a file of a public model that was not warmed, and the Hub is asked without the token', async () => {
    const { ask, hub } = await serve(['org/open'])
    expect(await ask(`${hub}/org/open/resolve/main/later.json`)).toMatchObject({ status: 200, body: '{}' })
    expect(engine.filesAsked).toEqual(['later.json'])
    expect(engine.hub.requests.filter(({ authorization }) => authorization)).toEqual([])
  })

  test("gets an answer of the Hub's API about a public model, and the Hub is asked without the token", async () => {
    const { ask, hub } = await serve(['org/open'])
    const { status, body } = await ask(`${hub}/api/models/org/open`)
    expect([status, JSON.parse(body)]).toMatchObject([200, { id: 'org/open' }])
    expect(engine.hub.requests.map(({ authorization }) => authorization)).toEqual([false])
  })

  test('gets the installed code of ONNX Runtime, and not that of the CDN', async () => {
    const { ask, address, runtimes } = await serve([])
    const own = runtimes.find((url) => url.startsWith('https://cdn.jsdelivr.net/npm/onnxruntime-web@')) ?? ''
    const dist = fileURLToPath(new URL('../../node_modules/onnxruntime-web/dist/', import.meta.url))
    const name = 'ort-wasm-simd-threaded.asyncify'
    const base = `${address}${own.replace('://', '/')}`
    expect(await ask(`${base}${name}.mjs`)).toMatchObject({
      ...{
        status: 200,
        headers: { 'content-type': 'text/javascript' },
        body: readFileSync(`${dist}${name}.mjs`, 'utf8'),
      },
    })
    expect(await ask(`${base}${name}.wasm`, {}, 'HEAD')).toMatchObject({
      ...{ status: 200, headers: { 'content-type': 'application/wasm' } },
      ...{ headers: { 'content-length': String(statSync(`${dist}${name}.wasm`).size) } },
    })
    for (const path of ['no-such.wasm', '../package.json', '..%2fpackage.json', '%2e%2e/package.json'])
      expect(await ask(`${base}${path}`), path).toMatchObject({ status: 403 })
    expect(await ask(`${base.replace(/@[^/]+/, '@0.0.1')}${name}.mjs`)).toMatchObject({ status: 403 })
  })
})

test('a page of unit mode is refused what it asks of the Hub, before it sends anything', async () => {
  vi.stubGlobal('fetch', fetch)
  onTestFinished(() => void vi.unstubAllGlobals())
  const { url } = engine.hub
  const service = openService(resolveOptions({ mode: 'unit', cacheDir: engine.cacheDir }, process.env, ROOT), ROOT)
  onTestFinished(() => closeService(service))
  serveFromMiddleware({ ...service.provided, runtimes: [] }, 'a.test.ts')
  for (const path of ['/org/open/resolve/main/config.json', '/api/whoami-v2'])
    await expect(fetch(url + path)).rejects.toMatchObject({ code: 'UNIT_MODE' })
  expect(engine.hub.requests).toEqual([])
})

describe('the middleware refuses', () => {
  test('requests that do not come from a page of this server', async () => {
    const { ask, hub, origin } = await serve(['org/open'])
    const file = `${hub}/org/open/resolve/main/config.json`
    const refused = { status: 403, headers: { 'x-model-cache': 'refused' } }
    expect(await ask(file, { origin, 'sec-fetch-site': 'same-origin' })).toMatchObject({ status: 200 })
    expect(await ask(file, { origin: 'https://evil.example' })).toMatchObject(refused)
    expect(await ask(file, { origin: 'http://127.0.0.1:1' })).toMatchObject(refused)
    expect(await ask(file, { origin: 'null' })).toMatchObject(refused)
    expect(await ask(file, { host: 'evil.example' })).toMatchObject(refused)
    expect(await ask(file, { host: 'evil.example', origin: 'http://evil.example' })).toMatchObject(refused)
    expect(await ask(file, { 'sec-fetch-site': 'cross-site' })).toMatchObject(refused)
    expect(await ask(file, { 'sec-fetch-site': 'same-site' })).toMatchObject(refused)
    expect(await ask(file.replace(/__\/\w+/, `__/${'0'.repeat(32)}`))).toMatchObject(refused)
  })

  test('a model that was not warmed and is not known as public, and the report says what to do', async () => {
    const { ask, hub, service } = await serve(['org/open'])
    for (const path of [
      'org/other/resolve/main/config.json',
      'org/open/resolve/v2/config.json',
      'api/models/org/other',
    ])
      expect(await ask(`${hub}/${path}`), path).toMatchObject({ status: 403, headers: { 'x-model-cache': 'refused' } })
    expect(engine.hub.requests).toEqual([])
    const messages = service.drain('').errors.map(({ message }) => message)
    expect(messages[0]).toContain("Declare it: modelCache({ models: ['org/other'] })")
    expect(messages[1]).toContain("Declare it: modelCache({ models: ['org/open@v2'] })")
  })

  test('a private model that is not declared', async () => {
    const { ask, hub } = await serve(['org/secret'], { models: [] })
    const { status, body } = await ask(`${hub}/org/secret/resolve/main/config.json`)
    expect([status, body]).toEqual([403, expect.stringContaining('It is not public.')])
    expect(engine.hub.requests).toEqual([])
  })

  test('requests for a declared private model that would need the token', async () => {
    const { ask, hub } = await serve(['org/secret'])
    expect(await ask(`${hub}/org/secret/resolve/main/config.json`)).toMatchObject({ status: 200, body: CONFIG })
    expect(await ask(`${hub}/org/secret/resolve/main/later.json`)).toMatchObject({ status: 403 })
    expect(await ask(`${hub}/api/models/org/secret`)).toMatchObject({ status: 403 })
    expect(engine.hub.requests.filter(({ authorization }) => authorization)).toEqual([])
  })

  test('requests that would need the network, when it is offline', async () => {
    const { ask, hub } = await serve(['org/open'], { offline: true })
    const { status, headers, body } = await ask(`${hub}/org/other/resolve/main/config.json`)
    expect([status, headers['x-model-cache']]).toEqual([502, 'failed'])
    expect(JSON.parse(body)).toMatchObject({ code: 'NOT_SET_UP', asked: 'Model org/other, in a browser' })
    expect(await ask(`${hub}/org/open/resolve/main/later.json`)).toMatchObject({ status: 502 })
    expect(engine.hub.requests).toEqual([])
  })
})
