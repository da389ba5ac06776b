import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import type { ModelCacheOptions } from '../../src/config/options.ts'
import { groupBy } from '../../src/platform/group-by.ts'
import { configSource } from '../support/config-source.ts'
import { Consumer } from '../support/consumer.ts'
import { startModelsHub } from '../support/models-hub.ts'
import { type ColdAndWarm, runColdAndWarm } from '../support/run-cold-and-warm.ts'
import { expectPassed, type SuiteSource, suitesInOneRun } from '../support/suites-in-one-run.ts'

const TOKEN = 'hf_opens_what_is_private'
const { hub, env } = await startModelsHub([], { token: TOKEN })
const WEIGHTS = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) % 251))
const FILES = { 'config.json': '{"model_type":"bert"}', 'deep/weights.bin': WEIGHTS }
const LARGE = { 'large.bin': Buffer.alloc(2_000_000, 'y') }
const { commit } = hub.addRepo('org/files', { files: { ...FILES, ...LARGE } })
hub.addRepo('org/private', { files: FILES, private: true })
hub.addRepo('org/gated', { files: FILES, gated: 'manual' })
for (const name of ['org/busy', 'org/broken']) hub.addRepo(name, { files: FILES })
const SHA256 = createHash('sha256').update(WEIGHTS).digest('hex')

const sourceOf = (body: string) => `
  import { createHash } from 'node:crypto'
  import { expect, test } from 'vitest'
  const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex')
  const HF = 'https://huggingface.co'
  test('x', async () => {
    ${body}
  })
`

async function run(body: string, { options = {}, more = {} }: { options?: ModelCacheOptions; more?: object } = {}) {
  const project = await Consumer.create({
    files: { 'vitest.config.ts': configSource(options), 'a.test.ts': sourceOf(body) },
  })
  const { cold, warm, asked } = await runColdAndWarm(project, hub, { ...env, ...more })
  for (const { exitCode, output } of [cold, warm]) expect(exitCode, output).toBe(0)
  const files = asked.cold.filter(({ kind }) => kind === 'resolve').map(({ file }) => String(file))
  return { project, warm, asked, files }
}

test('fetch of a file of huggingface.co gives the bytes, the headers and the URL of the Hub', async () => {
  const { files, warm, project } = await run(`
    const url = HF + '/org/files/resolve/main/deep/weights.bin?download=true'
    const response = await fetch(url)
    expect(response).toBeInstanceOf(Response)
    expect([response.status, response.ok, response.url]).toEqual([200, true, url])
    expect(response.headers.get('content-length')).toBe('100000')
    expect(response.headers.get('x-repo-commit')).toBe('${commit}')
    expect(response.headers.get('etag')).toContain('${SHA256}')
    expect(sha256(Buffer.from(await response.arrayBuffer()))).toBe('${SHA256}')
    const json = await (await fetch(new URL(HF + '/org/files/resolve/${commit}/config.json'))).json()
    expect(json).toEqual({ model_type: 'bert' })
    expect(await (await fetch(new Request(HF + '/org/files/raw/../resolve/main/config.json'))).json()).toEqual(json)
  `)
  expect(files.sort()).toEqual(['config.json', 'deep/weights.bin'])
  expect(hub.requests).toEqual([])
  expect(warm.report).toMatchObject({ hits: 2, misses: 0 })
  // It is not known any more who may read the repo. The Hub is asked that once, and no file is downloaded.
  await project.shell('rm -r cache/cache_metadata.json cache/origins')
  for (const isOffline of [false, true]) {
    const { exitCode, output } = await project.vitest([], { ...env, MODEL_CACHE_OFFLINE: isOffline ? '1' : '0' })
    expect(exitCode, output).toBe(0)
    expect(hub.requests.filter(({ kind }) => isOffline || kind !== 'api')).toEqual([])
    hub.clearRequests()
  }
})

/** What a test does with a model, at its commit. Each has a model of its own. */
const BODIES: Record<string, { title: string; body: (name: string, commit: string) => string }> = {
  range: {
    title: 'fetch answers Range and HEAD requests, and requests for missing files, as the Hub does',
    body: (name) => `
    const url = HF + '/${name}/resolve/main/deep/weights.bin'
    const part = await fetch(url, { headers: { Range: 'bytes=10-19' } })
    expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 10-19/100000'])
    expect([...new Uint8Array(await part.arrayBuffer())]).toEqual(Array.from({ length: 10 }, (_, i) => ((i + 10) * 7) % 251))
    const end = await fetch(url, { headers: new Headers({ range: 'bytes=-4' }) })
    expect((await end.arrayBuffer()).byteLength).toBe(4)
    expect((await fetch(url, { headers: [['Range', 'bytes=100000-']] })).status).toBe(416)
    const ifRange = async (value) => (await fetch(url, { headers: { Range: 'bytes=10-19', 'If-Range': value } })).status
    const etag = part.headers.get('etag')
    expect([await ifRange(etag), await ifRange('"other"'), await ifRange('W/' + etag)]).toEqual([206, 200, 200])
    expect(await ifRange('Sat, 01 Jan 2033 00:00:00 GMT')).toBe(200)
    expect((await fetch(url, null)).status).toBe(200)
    expect((await fetch(url, { method: undefined, headers: null, signal: null, body: null })).status).toBe(200)
    const head = await fetch(url, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), (await head.arrayBuffer()).byteLength]).toEqual([200, '100000', 0])
    const missing = await fetch(HF + '/${name}/resolve/main/nope.json')
    expect([missing.status, missing.headers.get('x-error-code')]).toEqual([404, 'EntryNotFound'])
    `,
  },
  head: {
    title: 'a HEAD request downloads no file: the listing has size and digest, and a warm run makes no request',
    body: (name) => `
    const head = await fetch(HF + '/${name}/resolve/main/deep/weights.bin', { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '100000'])
    expect(head.headers.get('etag')).toContain('${SHA256}')
    expect((await fetch(HF + '/${name}/resolve/main/nope.json', { method: 'HEAD' })).status).toBe(404)
    `,
  },
  abort: {
    title: 'an aborted request fails with an abort, also when the signal was aborted before',
    body: (name) => `
    const url = HF + '/${name}/resolve/main/config.json'
    await expect(fetch(url, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i)
    const controller = new AbortController()
    expect((await fetch(url, { signal: controller.signal })).status).toBe(200)
    const weights = HF + '/${name}/resolve/main/deep/weights.bin'
    for (const reason of [new Error('enough'), undefined]) {
      const midway = new AbortController()
      const { body } = await fetch(weights, { signal: midway.signal })
      const reader = body.getReader({ mode: 'byob' })
      expect((await reader.read(new Uint8Array(10))).value).toHaveLength(10)
      midway.abort(reason)
      await expect(reader.read(new Uint8Array(10))).rejects.toBe(midway.signal.reason)
      await expect(reader.closed).rejects.toBe(midway.signal.reason)
    }
    `,
  },
  signals: {
    title: 'a signal may come from any implementation, and may serve many requests',
    body: (name) => `
    const url = HF + '/${name}/resolve/main/config.json'
    const warnings = []
    process.on('warning', (warning) => warnings.push(warning.message))
    const { signal } = new AbortController()
    const answers = await Promise.all(Array.from({ length: 30 }, () => fetch(url, { signal })))
    await Promise.all(answers.map((answer) => answer.text()))
    await new Promise((resolve) => setImmediate(resolve))
    expect(warnings).toEqual([])
    // Signals like those of the package abort-controller.
    const old = Object.assign(new EventTarget(), { aborted: false })
    expect((await fetch(url, { signal: old })).status).toBe(200)
    old.aborted = true
    await expect(fetch(url, { signal: old })).rejects.toThrow(/abort/i)
    await expect(fetch(url, { signal: 'none' })).rejects.toThrow(TypeError)
    `,
  },
  bodies: {
    title: 'response bodies work as those of fetch: cloned, read into a buffer or left unread; a GET takes no body',
    body: (name) => `
    const url = HF + '/${name}/resolve/main/deep/weights.bin'
    const response = await fetch(url)
    const clone = response.clone()
    expect([clone.url, clone.clone().url]).toEqual([url, url])
    for (const one of [response, clone]) expect(sha256(Buffer.from(await one.arrayBuffer()))).toBe('${SHA256}')
    const reader = (await fetch(url, { headers: { Range: 'bytes=5-9' } })).body.getReader({ mode: 'byob' })
    const { value } = await reader.read(new Uint8Array(20))
    expect([...value]).toEqual([5, 6, 7, 8, 9].map((i) => (i * 7) % 251))
    expect((await reader.read(value)).done).toBe(true)
    for (let times = 0; times < 20; times++) expect((await fetch(url)).ok).toBe(true)
    const { readdirSync, readlinkSync } = await import('node:fs')
    if (process.platform === 'linux') {
      const open = readdirSync('/proc/self/fd').flatMap((fd) => { try { return readlinkSync('/proc/self/fd/' + fd) } catch { return [] } })
      expect(open.filter((path) => path.includes('models--${name.replace('/', '--')}'))).toEqual([])
    }
    // The caller stops reading in the middle, and cancels nothing.
    const { setFlagsFromString } = await import('node:v8')
    setFlagsFromString('--expose-gc')
    const collect = (await import('node:vm')).runInNewContext('gc')
    const warnings = []
    process.on('warning', ({ message }) => warnings.push(message))
    const drop = async () => {
      for (let times = 0; times < 20; times++) await (await fetch(HF + '/${name}/resolve/main/large.bin')).body.getReader().read()
    }
    await drop()
    const { vi } = await import('vitest')
    const held = () => readdirSync('/proc/self/fd').filter((fd) => { try { return readlinkSync('/proc/self/fd/' + fd).includes('models--${name.replace('/', '--')}') } catch { return false } })
    await vi.waitFor(() => { collect(); if (process.platform === 'linux') expect(held()).toEqual([]) }, 20_000)
    expect(warnings).toEqual([])
    for (const body of ['text', new Uint8Array(2)]) await expect(fetch(url, { body })).rejects.toThrow('body')
    `,
  },
  hub: {
    title: '@huggingface/hub makes no request in a warm run, whatever token the suite has',
    body: (name, commit) => `
    const { vi } = await import('vitest')
    vi.stubEnv('HF_TOKEN', 'hf_made_up')
    const { downloadFile, listFiles, modelInfo, pathsInfo, snapshotDownload } = await import('@huggingface/hub')
    const repo = '${name}'
    expect((await modelInfo({ name: repo, additionalFields: ['sha'] })).sha).toBe('${commit}')
    const files = []
    for await (const { path } of listFiles({ repo, recursive: true, accessToken: '${TOKEN}' })) files.push(path)
    expect(files).toContain('deep/weights.bin')
    expect((await pathsInfo({ repo, paths: ['config.json'] })).map(({ path }) => path)).toEqual(['config.json'])
    const blob = await downloadFile({ repo, path: 'deep/weights.bin', xet: false })
    expect(sha256(Buffer.from(await blob.arrayBuffer()))).toBe('${SHA256}')
    const folder = await snapshotDownload({ repo, revision: '${commit}' })
    const { readFileSync } = await import('node:fs')
    expect(sha256(readFileSync(folder + '/deep/weights.bin'))).toBe('${SHA256}')
    `,
  },
}

describe('all suites at once:', () => {
  const cases = Object.entries(BODIES).map(([key, { title, body }]) => ({ key, title, body, name: `org/fetch-${key}` }))
  let runs: ColdAndWarm

  beforeAll(async () => {
    const suites = cases.map(({ key, name, body }): [string, SuiteSource] => {
      const added = hub.addRepo(name, { files: { ...FILES, ...LARGE } })
      return [key, { source: sourceOf(body(name, added.commit)) }]
    })
    const project = await Consumer.createForTests({ files: suitesInOneRun(Object.fromEntries(suites)) })
    runs = await runColdAndWarm(project, hub, env)
    return () => project.remove()
  })

  test.each(cases.map((one) => [one.title, one] as const))('%s', (_, { key, name }) => {
    const { cold, warm, asked } = runs
    expectPassed(cold, key)
    expectPassed(warm, key)
    const files = asked.cold.filter(({ repo, kind, status }) => repo === name && kind === 'resolve' && status < 400)
    const weights = files.filter(({ file }) => file === 'deep/weights.bin')
    expect(weights).toHaveLength(['head', 'signals'].includes(key) ? 0 : 1)
    if (key === 'range') expect(files).toHaveLength(1)
    if (key === 'head') expect(files).toHaveLength(0)
    expect(asked.warm).toEqual([])
  })

  test('the runs have no other result', () => {
    const { cold, warm } = runs
    expect([cold.exitCode, warm.exitCode], cold.output + warm.output).toEqual([0, 0])
  })
})

test('requests to the configured endpoint and to further hosts are answered from the cache; other requests are left alone', async () => {
  const { asked } = await run(
    `
    for (const base of [process.env.HF_ENDPOINT, 'https://hf.co', 'https://mirror.example', 'https://HuggingFace.co'])
      expect((await fetch(base + '/org/files/resolve/main/config.json')).status).toBe(200)
    const other = await fetch(process.env.HF_ENDPOINT + '/not-there')
    expect(other.status).toBe(404)
    for (const elsewhere of ['/datasets/org/files/resolve/main/config.json', '/spaces/org/files/resolve/main/config.json'])
      await fetch(process.env.HF_ENDPOINT + elsewhere)
    await fetch(process.env.HF_ENDPOINT + '/api/models/org/files/commit/main', { method: 'POST', body: '{}' })
    await fetch(process.env.HF_ENDPOINT + '/org/files/resolve/main/config.json', { method: 'DELETE' })
    expect(await fetch('data:text/plain,hello').then((response) => response.text())).toBe('hello')
  `,
    { options: { intercept: { hosts: ['https://mirror.example'] } } },
  )
  expect(asked.cold.filter(({ kind, method }) => kind === 'resolve' && method === 'GET')).toHaveLength(1)
  expect(hub.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /not-there',
    'GET /datasets/org/files/resolve/main/config.json',
    'GET /spaces/org/files/resolve/main/config.json',
    'POST /api/models/org/files/commit/main',
    'DELETE /org/files/resolve/main/config.json',
  ])
})

test('a private model is not served to a request without the token', async () => {
  const url = `'${'https://huggingface.co'}/org/private/resolve/main/config.json'`
  const { files, project } = await run(
    `
    const withToken = { headers: { Authorization: 'Bearer ${TOKEN}' } }
    expect((await fetch(process.env.HF_ENDPOINT + '/org/private/resolve/main/config.json', withToken)).status).toBe(200)
    expect((await fetch(${url}, withToken)).status).toBe(200)
    const without = await fetch(process.env.HF_ENDPOINT + '/org/private/resolve/main/config.json')
    expect(without.status).toBe(401)
    const other = await fetch(process.env.HF_ENDPOINT + '/org/private/resolve/main/config.json', { headers: { Authorization: 'Bearer other' } })
    expect(other.status).toBe(401)
    // A caller with the token learns that the file does not exist.
    const missing = process.env.HF_ENDPOINT + '/org/private/resolve/main/nope.json'
    expect((await fetch(missing, withToken)).status).toBe(404)
    for (const method of ['GET', 'HEAD']) expect((await fetch(missing, { method })).status).toBe(401)
  `,
    { more: { HF_TOKEN: TOKEN } },
  )
  expect(files.length).toBeGreaterThan(0)
  // A warm run sends only the requests that the Hub refuses.
  expect(hub.requests.map(({ status }) => status)).toEqual([401, 401, 401, 401])
  hub.clearRequests()
  const source = `
    import { expect, test } from 'vitest'
    test('x', async () => {
      const file = 'https://huggingface.co/org/private/resolve/main/config.json'
      expect((await fetch(file, { headers: { Authorization: 'Bearer ${TOKEN}' } })).status).toBe(200)
      for (const [address, method] of [[file, 'GET'], [file, 'HEAD'], ['https://huggingface.co/api/models/org/private', 'HEAD']])
        await expect(fetch(address, { method }), method).rejects.toMatchObject({ code: 'OFFLINE' })
    })
  `
  await project.write({ 'a.test.ts': source })
  const offline = await project.vitest([], { ...env, HF_TOKEN: TOKEN, MODEL_CACHE_OFFLINE: '1' })
  expect(offline.exitCode, offline.output).toBe(0)
  expect(hub.requests).toEqual([])
})

test("a refusal of the Hub costs one request for each fetch, and the fetch gets the Hub's answer", async () => {
  const source = `
    import { AutoConfig, env } from '@huggingface/transformers'
    import { expect, test } from 'vitest'
    env.useFSCache = false
    const said = async (response) => [response.status, response.statusText, response.headers.get('x-error-code'), await response.text()]
    const missing = [401, 'Unauthorized', 'RepoNotFound', 'Invalid username or password.']
    test('x', async () => {
      for (const base of [process.env.HF_ENDPOINT, 'https://huggingface.co']) {
        for (const name of ['none', 'private']) {
          const address = base + '/org/' + name + '/resolve/main/config.json'
          expect(await said(await fetch(address))).toEqual(missing)
          const head = await fetch(address, { method: 'HEAD' })
          expect([head.status, await head.text()]).toEqual([401, ''])
        }
        const gated = await said(await fetch(base + '/org/gated/resolve/main/config.json'))
        expect(gated).toEqual([401, 'Unauthorized', 'GatedRepo', expect.stringContaining('is restricted')])
        const revision = await said(await fetch(base + '/org/files/resolve/nope/config.json'))
        expect(revision.slice(0, 3)).toEqual([404, 'Not Found', 'RevisionNotFound'])
      }
      await expect(AutoConfig.from_pretrained('org/absent')).rejects.toThrow('org/absent')
      // The loader may ask the Hub by itself, and gets the same answer.
      env.remoteHost = process.env.HF_ENDPOINT + '/'
      await expect(AutoConfig.from_pretrained('org/lost')).rejects.toThrow(/Unauthorized|401/)
      const api = await fetch(process.env.HF_ENDPOINT + '/api/models/org/unknown')
      expect([api.status, await api.json()]).toEqual([401, { error: 'Invalid username or password.' }])
      const other = await fetch(process.env.HF_ENDPOINT + '/org/private/resolve/main/config.json', { headers: { Authorization: 'Bearer ${TOKEN}' } })
      expect(other.status).toBe(200)
    })
  `
  const config = configSource({ warm: 'declared' })
  const project = await Consumer.create({ files: { 'vitest.config.ts': config, 'a.test.ts': source } })
  const { exitCode, output } = await project.vitest([], env)
  expect(exitCode, output).toBe(0)
  const asked = groupBy(hub.requests, ({ repo }) => String(repo))
  const statuses = (repo: string) => asked.get(repo)?.map(({ status }) => status)
  expect(statuses('org/none')).toEqual([401, 401, 401, 401])
  expect(['org/absent', 'org/lost', 'org/unknown'].map(statuses)).toEqual([[401], [401], [401]])
  // The request goes to the Hub, because the caller has a token that the cache does not have.
  expect(statuses('org/private')).toEqual([401, 401, 401, 401, 200])
  expect(
    asked
      .get('org/gated')
      ?.filter(({ kind }) => kind === 'resolve')
      .map(({ status }) => status),
  ).toEqual([401, 401])
  expect(asked.get('org/files')?.map(({ status }) => status)).toEqual([404, 404])
})

test('a request that the configured endpoint refuses goes to no other Hub, and one for a model that is too large goes nowhere', async () => {
  const refused = { kind: 'api', repo: 'org/busy' } as const
  hub.fault(refused, { status: 429, retryAfter: 0 })
  hub.fault({ ...refused, kind: 'resolve' }, { status: 429 })
  hub.fault((request) => request.repo === 'org/broken', { status: 403 })
  const child = `
    const statuses = ['none', 'gated'].map(async (name) => (await fetch('https://huggingface.co/org/' + name + '/resolve/main/config.json')).status)
    console.log(String(await Promise.all(statuses)))
  `
  const source = `
    import { execFile } from 'node:child_process'
    import dns from 'node:dns'
    import { get } from 'node:https'
    import { promisify } from 'node:util'
    import { AutoConfig, AutoTokenizer, env } from '@huggingface/transformers'
    import { expect, test } from 'vitest'
    env.cacheDir = './own'
    const hosts = []
    const { lookup } = dns
    dns.lookup = (host, ...rest) => (hosts.push(host), lookup(host, ...rest))
    const HF = 'https://huggingface.co'
    const headers = { Authorization: 'Bearer hf_of_huggingface_co' }
    const statusOf = (address) => new Promise((resolve, reject) => {
      get(HF + address, { headers }, (response) => resolve(response.resume().statusCode)).on('error', reject)
    })
    const large = '/org/files/resolve/main/large.bin'
    test('x', async () => {
      for (const [name, status] of Object.entries({ none: 401, gated: 401, busy: 429, broken: 403 })) {
        const address = '/org/' + name + '/resolve/main/config.json'
        expect((await fetch(HF + address, { headers })).status, name).toBe(status)
        expect((await fetch(new Request('https://hf.co' + address, { headers, method: 'HEAD' }))).status, name).toBe(status)
        expect(await statusOf(address), name).toBe(status)
        await expect(AutoConfig.from_pretrained('org/' + name)).rejects.toThrow('org/' + name)
      }
      expect((await fetch(HF + '/api/models/org/none/paths-info/main', { method: 'POST', body: '{"paths":["a"]}' })).status).toBe(401)
      expect(await statusOf('/api/models/org/none')).toBe(401)
      await expect(fetch(HF + large)).rejects.toMatchObject({ code: 'TOO_LARGE' })
      await expect(fetch(process.env.HF_ENDPOINT + large)).rejects.toMatchObject({ code: 'TOO_LARGE' })
      await expect(statusOf(large)).rejects.toMatchObject({ code: 'TOO_LARGE' })
      const { stdout } = await promisify(execFile)(process.execPath, ['child.mjs'])
      expect(stdout.trim()).toBe('401,401')
      expect(hosts.filter((host) => host !== '127.0.0.1')).toEqual([])
    })
  `
  const options = { maxSize: 1_000_000, onTooLarge: 'error' } as const
  const files = { 'vitest.config.ts': configSource(options), 'child.mjs': child, 'a.test.ts': source }
  const project = await Consumer.create({ files })
  const { exitCode, output } = await project.vitest([], env)
  expect(exitCode, output).toBe(0)
  expect(hub.requests.filter(({ authorization }) => authorization)).toEqual([])
  expect(hub.requests.filter(({ file }) => file === 'large.bin')).toEqual([])
})

test('when offline, a missing model is an error that names the model and the command', async () => {
  const source = `
    import { expect, test } from 'vitest'
    test('x', async () => {
      await expect(fetch('https://huggingface.co/org/files/resolve/main/config.json')).rejects.toMatchObject({
        code: 'OFFLINE', message: expect.stringContaining('vitest-model-cache warm org/files'),
      })
    })
  `
  const project = await Consumer.create({ files: { 'vitest.config.ts': configSource(), 'a.test.ts': source } })
  const { exitCode, output } = await project.vitest([], { ...env, MODEL_CACHE_OFFLINE: '1' })
  expect(exitCode, output).toBe(0)
  expect(hub.requests).toEqual([])
})

test('with `intercept: false` nothing is answered, whatever asks', async () => {
  const source = `
    import { get } from 'node:http'
    import { expect, test } from 'vitest'
    const url = process.env.HF_ENDPOINT + '/org/files/resolve/main/config.json'
    test('x', async () => {
      expect((await fetch(url)).status).toBe(200)
      const status = await new Promise((resolve, reject) => {
        get(url, (response) => resolve(response.resume().statusCode)).on('error', reject)
      })
      expect(status).toBe(200)
      expect(process.env.NODE_OPTIONS ?? '').not.toContain('preload')
      expect(process.execArgv.join()).not.toContain('preload')
    })
  `
  const options = { intercept: false }
  const project = await Consumer.create({ files: { 'vitest.config.ts': configSource(options), 'a.test.ts': source } })
  const { exitCode, output } = await project.vitest([], env)
  expect(exitCode, output).toBe(0)
  // The second request would be a hit.
  expect(hub.requests.map(({ path }) => path)).toEqual(Array(2).fill('/org/files/resolve/main/config.json'))
})
