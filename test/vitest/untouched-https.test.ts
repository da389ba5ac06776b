import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'

const TOKEN = 'hf_opens_what_is_private'
const { hub, env } = await startModelsHub([], { token: TOKEN })
const WEIGHTS = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 7) % 251))
const FILES = { 'config.json': '{"model_type":"bert"}', 'deep/weights.bin': WEIGHTS }
const { commit } = hub.addRepo('org/files', { files: FILES })
hub.addRepo('org/private', { files: FILES, private: true })
const SHA256 = createHash('sha256').update(WEIGHTS).digest('hex')

const POOLS = ['forks', 'threads', 'vmForks', 'vmThreads']
const IN_EVERY_POOL = `projects: ${JSON.stringify(POOLS.map((pool) => ({ extends: true, test: { name: pool, pool } })))}`

// The source does not name this package. It imports the two modules in different ways.
const USES = `
  import { createHash } from 'node:crypto'
  import { once } from 'node:events'
  import { request } from 'node:http'
  import { createRequire } from 'node:module'
  import { get } from 'https'
  import { expect, test } from 'vitest'
  const https = createRequire(import.meta.url)('node:https')
  const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex')
  const FILES = 'https://huggingface.co/org/files/resolve/main/'
  const HUB = process.env.HF_ENDPOINT
  const ask = (request, ...where) => new Promise((resolve, reject) => {
    const onResponse = async (response) => {
      const body = Buffer.concat(await response.toArray())
      resolve({ status: response.statusCode, headers: response.headers, body })
    }
    request(...where, onResponse).on('error', reject).end()
  })
`

const FILES_TEST = `${USES}
  test('files', async () => {
    const whole = await ask(get, FILES + 'deep/weights.bin?download=true')
    expect([whole.status, whole.headers['content-length'], sha256(whole.body)]).toEqual([200, '3000000', '${SHA256}'])
    const kept = new https.Agent({ keepAlive: true, maxSockets: 1 })
    for (const agent of [kept, kept, false])
      expect(sha256((await ask(https.request, FILES + 'deep/weights.bin', { agent })).body)).toBe('${SHA256}')
    const parts = [
      await ask(get, FILES + 'deep/weights.bin', { headers: { Range: 'bytes=10-19' } }),
      await ask(get, FILES + 'deep/weights.bin', { headers: ['Host', 'huggingface.co', 'Range', 'bytes=10-19'] }),
    ]
    for (const { status, headers, body } of parts)
      expect([status, headers['content-range'], body.length]).toEqual([206, 'bytes 10-19/3000000', 10])
    const head = await ask(https.request, new URL(FILES + 'deep/weights.bin'), { method: 'HEAD' })
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '3000000', 0])
    for (const method of ['GET', 'HEAD'])
      expect((await ask(https.request, FILES + 'nope.json', { method })).headers['x-error-code']).toBe('EntryNotFound')
    const url = new URL(HUB)
    const given = { host: url.hostname, port: url.port, path: '/org/files/resolve/main/config.json' }
    expect(JSON.parse((await ask(request, given)).body)).toEqual({ model_type: 'bert' })
    const slowly = get(FILES + 'deep/weights.bin', { timeout: 60_000 })
    const [response] = await once(slowly, 'response')
    const hash = createHash('sha256')
    for await (const chunk of response) {
      hash.update(chunk)
      await new Promise(setImmediate)
    }
    expect(hash.digest('hex')).toBe('${SHA256}')
  })

  test('aborts', async () => {
    await expect(ask(get, FILES + 'config.json', { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i)
    const asked = get(FILES + 'deep/weights.bin')
    const [response] = await once(asked, 'response')
    const error = once(asked, 'error')
    asked.destroy(new Error('enough'))
    await expect(response.toArray()).rejects.toThrow()
    expect((await error)[0].message).toBe('enough')
  })
`

const PASSED_ON_TEST = `${USES}
  const asPrivate = (Authorization) => ask(request, HUB + '/org/private/resolve/main/config.json', { headers: { Authorization } })
  test('private', async () => {
    expect((await asPrivate('Bearer ${TOKEN}')).body.toString()).toContain('bert')
    expect((await asPrivate('Bearer other')).status).toBe(401)
  })

  test('others', async () => {
    expect((await ask(request, HUB + '/not-there')).status).toBe(404)
    await ask(request, HUB + '/datasets/org/resolve/main/config.json')
    await ask(request, HUB + '/org/files/resolve/main/config.json', { method: 'POST' })
  })
`

const MSW_TEST = `${USES}
  import { http as handle, HttpResponse } from 'msw'
  import { setupServer } from 'msw/node'
  const server = setupServer(
    handle.get('https://api.example/user', () => HttpResponse.json({ name: 'mocked' })),
    handle.get(FILES + 'theirs.json', () => HttpResponse.json({ by: 'the suite' })),
  )
  const models = async () => {
    expect(sha256((await ask(https.get, FILES + 'deep/weights.bin')).body)).toBe('${SHA256}')
    const passedOn = { headers: { Authorization: 'Bearer other' } }
    expect((await ask(request, HUB + '/org/private/resolve/main/config.json', passedOn)).status).toBe(401)
  }
  test('x', async () => {
    // Before the first request and after it.
    for (let times = 0; times < 2; times += 1) {
      server.listen({ onUnhandledRequest: 'bypass' })
      expect(JSON.parse((await ask(https.get, 'https://api.example/user')).body)).toEqual({ name: 'mocked' })
      expect(JSON.parse((await ask(https.get, FILES + 'theirs.json')).body)).toEqual({ by: 'the suite' })
      await models()
      server.close()
      await models()
      expect((await ask(https.get, FILES + 'theirs.json')).status).toBe(404)
    }
  })
`

const PROGRAM = `
  get('https://huggingface.co/org/files/resolve/main/config.json', (response) => response.pipe(process.stdout))
`
const CHILD_TEST = `
  import { execFile } from 'node:child_process'
  import { promisify } from 'node:util'
  import { expect, test } from 'vitest'
  test.each(['esm.mjs', 'commonjs.cjs'])('%s', async (program) => {
    const { stdout } = await promisify(execFile)(process.execPath, [program])
    expect(stdout).toBe('{"model_type":"bert"}')
  })
`

const PAGE_TEST = `
  // @vitest-${'environment'} jsdom
  import { expect, test } from 'vitest'
  test('x', async () => {
    const request = new XMLHttpRequest()
    request.open('GET', 'https://huggingface.co/org/files/resolve/main/config.json')
    const done = new Promise((resolve) => { request.onloadend = resolve })
    request.send()
    await done
    expect([request.status, request.responseText]).toEqual([200, '{"model_type":"bert"}'])
    expect(request.getResponseHeader('x-repo-commit')).toBe('${commit}')
  })
`

const more = { ...env, HF_TOKEN: TOKEN }
const sent = () => hub.requests.map(({ method, path }) => `${method} ${path}`)

async function runTwice(files: Record<string, string>, config = configSource()) {
  const project = await Consumer.create({ files: { 'vitest.config.ts': config, ...files } })
  const cold = await project.vitest([], more)
  expect(cold.exitCode, cold.output).toBe(0)
  hub.clearRequests()
  const warm = await project.vitest([], more)
  expect(warm.exitCode, warm.output).toBe(0)
  return warm
}

describe('a request to the Hub by node:http and node:https', () => {
  test('is answered from the cache in every pool, also with msw, whose mocks come first', async () => {
    const files = { 'files.test.ts': FILES_TEST, 'msw.test.ts': MSW_TEST }
    const { report } = await runTwice(files, configSource({}, IN_EVERY_POOL))
    // A request with another token, in a suite with msw: the cache must not answer it.
    expect(sent()).toEqual(Array(POOLS.length * 4).fill('GET /org/private/resolve/main/config.json'))
    expect(report).toMatchObject({ requests: 8, hits: 8, misses: 0 })
  })

  test('is answered from the cache in a child process and in the window of jsdom; other requests are left alone', async () => {
    const { report } = await runTwice({
      'esm.mjs': `import { get } from 'node:https'; ${PROGRAM}`,
      'commonjs.cjs': `const { get } = require('https'); ${PROGRAM}`,
      'child.test.ts': CHILD_TEST,
      'page.test.ts': PAGE_TEST,
      'passed-on.test.ts': PASSED_ON_TEST,
    })
    expect(sent()).toEqual([
      'GET /org/private/resolve/main/config.json',
      'GET /not-there',
      'GET /datasets/org/resolve/main/config.json',
      'POST /org/files/resolve/main/config.json',
    ])
    expect(report).toMatchObject({ requests: 4, hits: 4, misses: 0 })
  })
})
