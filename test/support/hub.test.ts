import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  downloadFile,
  fileDownloadInfo,
  type ListFileEntry,
  listFiles,
  modelInfo,
  pathsInfo,
  snapshotDownload,
} from '@huggingface/hub'
import { AutoConfig, AutoTokenizer, env } from '@huggingface/transformers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Fault, type Hub, type HubOptions, startHub } from './hub/index.ts'

const weights = Buffer.from(Array.from({ length: 50_000 }, (_, at) => (at * 7) % 251))
const config = JSON.stringify({ model_type: 'bert', hidden_size: 32 })
const tiny = { 'config.json': config, 'README.md': '# Tiny', 'onnx/model.onnx': weights, 'vocab/empty.txt': '' }

let hub: Hub
let folder: string
const started: Hub[] = []

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'hub test ')))
  hub = await start()
})

afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.close()))
  await rm(folder, { recursive: true })
  vi.restoreAllMocks()
})

async function start(options?: HubOptions): Promise<Hub> {
  const fresh = await startHub(options)
  started.push(fresh)
  return fresh
}

async function bytesOf(body: Blob | Response | null | undefined): Promise<Buffer> {
  if (!body) throw new Error('The file does not exist')
  return Buffer.from(await body.arrayBuffer())
}

async function listAll(options: object): Promise<ListFileEntry[]> {
  const entries: ListFileEntry[] = []
  for await (const entry of listFiles({ repo: 'org/tiny', hubUrl: hub.url, ...options })) entries.push(entry)
  return entries
}

function sha(algorithm: 'sha1' | 'sha256', ...parts: (string | Uint8Array)[]): string {
  const hash = createHash(algorithm)
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

const blobSha1 = (text: string) => sha('sha1', `blob ${Buffer.byteLength(text)}\0`, text)

describe('@huggingface/hub', () => {
  test('reads the information about a model', async () => {
    const repo = hub.addRepo('org/tiny', { files: tiny, pipelineTag: 'fill-mask', libraryName: 'transformers.js' })
    const info = await modelInfo({
      name: 'org/tiny',
      hubUrl: hub.url,
      additionalFields: ['sha', 'filePaths', 'library_name'],
    })
    expect(info).toMatchObject({
      name: 'org/tiny',
      task: 'fill-mask',
      library_name: 'transformers.js',
      private: false,
      gated: false,
      sha: repo.commit,
      filePaths: ['README.md', 'config.json', 'onnx/model.onnx', 'vocab/empty.txt'],
      updatedAt: new Date('2024-01-01T00:00:00.000Z'),
    })
  })

  test('lists all files over several pages', async () => {
    hub = await start({ treePageSize: 2 })
    hub.addRepo('org/tiny', { files: tiny })
    const entries = await listAll({ recursive: true })
    expect(entries.map(({ type, path }) => `${type} ${path}`)).toEqual([
      'file README.md',
      'file config.json',
      'directory onnx',
      'file onnx/model.onnx',
      'directory vocab',
      'file vocab/empty.txt',
    ])
    expect(hub.requests).toHaveLength(3)
    expect(entries[1]).toEqual({ type: 'file', path: 'config.json', size: config.length, oid: blobSha1(config) })
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha('sha256', weights)}\nsize 50000\n`
    expect(entries[3]).toEqual({
      type: 'file',
      path: 'onnx/model.onnx',
      size: 50_000,
      oid: blobSha1(pointer),
      lfs: { oid: sha('sha256', weights), size: 50_000, pointerSize: pointer.length },
    })
  })

  test('lists one folder, at a ref with unencoded slashes', async () => {
    const repo = hub.addRepo('org/tiny', { files: tiny })
    repo.addCommit({ files: { 'onnx/deep/extra.txt': 'x' }, branch: 'refs/pr/1' })
    const list = async (options: object) => (await listAll(options)).map(({ path }) => path)
    expect(await list({})).toEqual(['README.md', 'config.json', 'onnx', 'vocab'])
    expect(await list({ path: 'onnx', revision: 'refs/pr/1' })).toEqual(['onnx/deep', 'onnx/model.onnx'])
    await expect(list({ path: 'nowhere' })).rejects.toMatchObject({ statusCode: 404 })
  })

  test('reads the last commits of single paths', async () => {
    const repo = hub.addRepo('org/tiny', { files: tiny })
    const first = repo.commit
    const second = repo.addCommit({ files: { 'config.json': '{}' }, delete: ['README.md'] })
    const infos = await pathsInfo({
      repo: 'org/tiny',
      paths: ['config.json', 'onnx/model.onnx', 'README.md'],
      expand: true,
      hubUrl: hub.url,
    })
    expect(infos.map(({ path, lastCommit }) => [path, lastCommit.id])).toEqual([
      ['config.json', second],
      ['onnx/model.onnx', first],
    ])
  })

  test('downloads small and LFS files, completely or in part', async () => {
    hub.addRepo('org/tiny', { files: tiny })
    const download = (path: string, raw?: boolean) => downloadFile({ repo: 'org/tiny', path, raw, hubUrl: hub.url })
    expect(await (await download('config.json'))?.text()).toBe(config)
    const model = await download('onnx/model.onnx')
    expect(weights.equals(await bytesOf(model))).toBe(true)
    expect(await bytesOf(model?.slice(100, 200))).toEqual(weights.subarray(100, 200))
    expect(await (await download('onnx/model.onnx', true))?.text()).toContain('oid sha256:')
    expect(await download('missing.json')).toBeNull()
    const info = await fileDownloadInfo({ repo: 'org/tiny', path: 'onnx/model.onnx', hubUrl: hub.url })
    expect(info).toMatchObject({ size: 50_000, etag: `"${sha('sha256', weights)}"` })
  })

  test('downloads a snapshot of a repo loaded from a folder on disk', async () => {
    vi.spyOn(console, 'debug').mockImplementation(() => {})
    await mkdir(join(folder, 'source/onnx'), { recursive: true })
    await writeFile(join(folder, 'blob'), weights)
    await symlink(join(folder, 'blob'), join(folder, 'source/onnx/model.onnx'))
    await writeFile(join(folder, 'source/config.json'), config)
    const repo = hub.addRepo('org/disk', { directory: join(folder, 'source'), files: { 'more.txt': 'more' } })
    expect(repo.totalBytes()).toBe(weights.length + config.length + 4)
    const cacheDir = join(folder, 'cache')
    const snapshot = await snapshotDownload({ repo: 'org/disk', cacheDir, hubUrl: hub.url })
    expect(snapshot).toBe(join(cacheDir, 'models--org--disk/snapshots', repo.commit))
    expect(weights.equals(await readFile(join(snapshot, 'onnx/model.onnx')))).toBe(true)
    expect(await readFile(join(snapshot, 'config.json'), 'utf8')).toBe(config)
    expect(await realpath(join(snapshot, 'onnx/model.onnx'))).toContain(sha('sha256', weights))
    const fullDownload = (request: { origin: string; range?: string }) => request.origin === 'cdn' && !request.range
    expect(hub.bytesSent(fullDownload)).toBe(weights.length)
  })

  test('is refused a private repo with the message of the Hub', async () => {
    hub = await start({ token: 'hf_member', tokenWithoutAccess: 'hf_outsider' })
    hub.addRepo('org/secret', { files: tiny, private: true })
    const ask = (accessToken?: string) => modelInfo({ name: 'org/secret', hubUrl: hub.url, accessToken })
    await expect(ask()).rejects.toMatchObject({ statusCode: 401, data: { error: 'Invalid username or password.' } })
    await expect(ask('hf_outsider')).rejects.toMatchObject({ statusCode: 404 })
    await expect(ask('hf_wrong')).rejects.toMatchObject({ statusCode: 401, message: /^Invalid credentials/ })
    expect(await ask('hf_member')).toMatchObject({ name: 'org/secret', private: true })
    const file = await downloadFile({
      repo: 'org/secret',
      path: 'onnx/model.onnx',
      hubUrl: hub.url,
      accessToken: 'hf_member',
    })
    expect(weights.equals(await bytesOf(file))).toBe(true)
    expect(hub.requests.filter(({ origin, authorization }) => origin === 'cdn' && authorization)).toEqual([])
  })
})

describe('@huggingface/transformers', () => {
  test('loads a config and a tokenizer, and requests one byte to learn a size', async () => {
    hub.addRepo('org/words', {
      files: {
        ...tiny,
        'tokenizer_config.json': JSON.stringify({ tokenizer_class: 'PreTrainedTokenizer', unk_token: '[UNK]' }),
        'tokenizer.json': JSON.stringify({
          version: '1.0',
          added_tokens: [],
          normalizer: null,
          pre_tokenizer: { type: 'Whitespace' },
          post_processor: null,
          decoder: null,
          model: { type: 'WordLevel', vocab: { '[UNK]': 0, hello: 1, world: 2 }, unk_token: '[UNK]' },
        }),
      },
    })
    const before = { remoteHost: env.remoteHost, cacheDir: env.cacheDir, allowLocalModels: env.allowLocalModels }
    Object.assign(env, { remoteHost: `${hub.url}/`, cacheDir: join(folder, 'cache'), allowLocalModels: false })
    try {
      expect(await AutoConfig.from_pretrained('org/words')).toMatchObject({ model_type: 'bert', hidden_size: 32 })
      const tokenizer = await AutoTokenizer.from_pretrained('org/words')
      expect(tokenizer.encode('hello there world')).toEqual([1, 0, 2])
      await expect(AutoConfig.from_pretrained('org/words', { revision: 'nope' })).rejects.toThrow('Could not locate')
    } finally {
      Object.assign(env, before)
    }
    expect(hub.requests).toContainEqual(
      expect.objectContaining({ file: 'tokenizer_config.json', range: 'bytes=0-0', status: 206, bytesSent: 1 }),
    )
    expect(hub.requests[0]?.userAgent).toMatch(/^transformers\.js\//)
    expect(await readFile(join(folder, 'cache/org/words/config.json'), 'utf8')).toBe(config)
  })
})

describe('resolve', () => {
  test('supports ranges, conditions and HEAD for a small file', async () => {
    const repo = hub.addRepo('gpt2', { files: { 'merges.txt': '0123456789' } })
    const url = `${hub.url}/gpt2/resolve/main/merges.txt`
    const etag = `"${blobSha1('0123456789')}"`
    const ask = async (headers: Record<string, string>) => {
      const response = await fetch(url, { headers })
      return [response.status, response.headers.get('content-range'), await response.text()]
    }
    const head = await fetch(url, { method: 'HEAD' })
    expect(Object.fromEntries(head.headers)).toMatchObject({
      etag,
      'content-length': '10',
      'accept-ranges': 'bytes',
      'x-repo-commit': repo.commit,
      'x-request-id': expect.stringContaining('Root='),
    })
    expect(await ask({ range: 'bytes=2-4' })).toEqual([206, 'bytes 2-4/10', '234'])
    expect(await ask({ range: 'bytes=7-' })).toEqual([206, 'bytes 7-9/10', '789'])
    expect(await ask({ range: 'bytes=-3' })).toEqual([206, 'bytes 7-9/10', '789'])
    expect(await ask({ range: 'bytes=5-900' })).toEqual([206, 'bytes 5-9/10', '56789'])
    expect(await ask({ range: 'bytes=10-' })).toEqual([416, 'bytes */10', ''])
    expect(await ask({ range: 'bytes=4-2' })).toEqual([200, null, '0123456789'])
    expect(await ask({ range: 'bytes=2-4', 'if-range': etag })).toEqual([206, 'bytes 2-4/10', '234'])
    expect(await ask({ range: 'bytes=2-4', 'if-range': '"other"' })).toEqual([200, null, '0123456789'])
    expect(await ask({ 'if-none-match': `"other", W/${etag}` })).toEqual([304, null, ''])
    hub.addRepo('empty', { files: { 'empty.txt': '' } })
    const probe = await fetch(`${hub.url}/empty/resolve/main/empty.txt`, { headers: { range: 'bytes=0-0' } })
    expect(probe.status).toBe(416)
  })

  test('redirects LFS files to the CDN, which serves ranges and refuses tokens', async () => {
    const repo = hub.addRepo('org/tiny', { files: tiny })
    const url = `${hub.url}/org/tiny/resolve/main/onnx/model.onnx`
    const redirect = await fetch(url, { method: 'HEAD', redirect: 'manual' })
    const location = redirect.headers.get('location') ?? ''
    const digest = sha('sha256', weights)
    expect(redirect.status).toBe(302)
    expect(location).toMatch(hub.cdnUrl)
    expect(Object.fromEntries(redirect.headers)).toMatchObject({
      'x-linked-etag': `"${digest}"`,
      'x-linked-size': '50000',
      'x-repo-commit': repo.commit,
      'accept-ranges': 'bytes',
    })
    const part = await fetch(location, { headers: { range: 'bytes=1-2', 'if-range': `"${digest}"` } })
    expect([part.status, part.headers.get('etag')]).toEqual([206, `"${digest}"`])
    expect(await bytesOf(part)).toEqual(weights.subarray(1, 3))
    const leaked = await fetch(location, { headers: { authorization: 'Bearer hf_secret' } })
    expect(leaked.status).toBe(400)
    expect(hub.requests.at(-1)).toMatchObject({
      origin: 'cdn',
      kind: 'cdn',
      repo: 'org/tiny',
      file: 'onnx/model.onnx',
      authorization: true,
      status: 400,
    })
    expect((await fetch(`${hub.cdnUrl}/org%2Ftiny/0000/onnx/model.onnx`)).status).toBe(404)
  })

  test('knows branches, tags, refs and commits, and keeps every commit', async () => {
    const repo = hub.addRepo('org/tiny', { files: { 'a.txt': 'one' } })
    const first = repo.commit
    repo.tag('v1')
    const second = repo.addCommit({ files: { 'a.txt': 'two' } })
    repo.branch('old', first)
    repo.addCommit({ files: { 'a.txt': 'three' }, branch: 'refs/pr/1' })
    const read = async (revision: string) =>
      (await fetch(`${hub.url}/org/tiny/resolve/${encodeURIComponent(revision)}/a.txt`)).text()
    const ones = [first, first.slice(0, 7), 'v1', 'refs/tags/v1', 'old', 'refs/heads/old']
    expect(await Promise.all(ones.map(read))).toEqual(ones.map(() => 'one'))
    expect(await Promise.all([second, 'main', 'HEAD'].map(read))).toEqual(['two', 'two', 'two'])
    expect(await read('refs/pr/1')).toBe('three')
    const other = await start()
    expect(other.addRepo('org/tiny', { files: { 'a.txt': 'one' } }).commit).toBe(first)
  })

  test('has different errors for a missing repo, revision and file, and for missing access', async () => {
    hub = await start({ token: 'hf_member', tokenWithoutAccess: 'hf_outsider' })
    const repo = hub.addRepo('org/tiny', { files: tiny })
    hub.addRepo('org/gated', { files: tiny, gated: 'manual' })
    const ask = async (path: string, token?: string) => {
      const response = await fetch(hub.url + path, { headers: token ? { authorization: `Bearer ${token}` } : {} })
      return `${response.status} ${response.headers.get('x-error-code')}`
    }
    expect(await ask('/org/none/resolve/main/a')).toBe('401 RepoNotFound')
    expect(await ask('/org/none/resolve/main/a', 'hf_outsider')).toBe('404 RepoNotFound')
    expect(await ask('/org/tiny/resolve/none/a')).toBe('404 RevisionNotFound')
    expect(await ask('/org/tiny/resolve/main/none')).toBe('404 EntryNotFound')
    expect(await ask('/org/tiny/resolve/main/%zz')).toBe('404 EntryNotFound')
    expect(await ask('/org/tiny/resolve/main/config.json', 'hf_wrong')).toBe('401 null')
    expect(await ask('/org/gated/resolve/main/config.json')).toBe('401 GatedRepo')
    expect(await ask('/org/gated/resolve/main/config.json', 'hf_outsider')).toBe('403 GatedRepo')
    expect(await ask('/org/gated/resolve/main/config.json', 'hf_member')).toBe('200 null')
    expect(await ask('/api/models/org/gated')).toBe('200 null')
    expect(await ask('/api/models/org/tiny/revision/none')).toBe('404 RevisionNotFound')
    expect(await ask('/api/whatever')).toBe('404 null')
    const missing = await fetch(`${hub.url}/org/tiny/resolve/main/none`)
    expect(missing.headers.get('x-repo-commit')).toBe(repo.commit)
  })

  test('redirects the old name of a repo to the new one', async () => {
    hub.addRepo('first/name', { files: tiny })
    hub.renameRepo('first/name', 'second/name')
    hub.renameRepo('second/name', 'third/name')
    const moved = await fetch(`${hub.url}/first/name/resolve/refs%2Fheads%2Fmain/config.json?download=true`, {
      redirect: 'manual',
    })
    expect(moved.status).toBe(307)
    expect(moved.headers.get('location')).toBe('/third/name/resolve/refs%2Fheads%2Fmain/config.json?download=true')
    expect((await modelInfo({ name: 'first/name', hubUrl: hub.url })).name).toBe('third/name')
    const [info] = await pathsInfo({ repo: 'second/name', paths: ['config.json'], hubUrl: hub.url })
    expect(info?.size).toBe(config.length)
  })

  test('accepts a form, as Python sends it', async () => {
    hub.addRepo('org/tiny', { files: tiny })
    const body = new URLSearchParams([
      ['paths', 'config.json'],
      ['paths', 'onnx'],
      ['expand', 'True'],
    ])
    const response = await fetch(`${hub.url}/api/models/org/tiny/paths-info/main`, { method: 'POST', body })
    expect(await response.json()).toMatchObject([
      { path: 'config.json', lastCommit: { title: 'initial commit' } },
      { path: 'onnx', type: 'directory', size: 0 },
    ])
  })
})

describe('faults', () => {
  const modelPath = '/org/tiny/resolve/main/onnx/model.onnx'

  test('replace the response one after the other, each the stated number of times', async () => {
    hub.addRepo('org/tiny', { files: tiny })
    const url = `${hub.url}/org/tiny/resolve/main/config.json`
    hub.fault(
      { file: 'config.json' },
      { status: 429, retryAfter: 7, headers: { RateLimit: '"api";r=0;t=55' } },
      { times: 1 },
    )
    hub.fault({ path: /config\.json$/ }, { status: 503, body: 'down' }, { times: 1 })
    hub.fault({ kind: 'resolve', method: 'GET' }, { html: true }, { times: 1 })
    hub.fault((request) => request.repo === 'org/tiny', 'refused', { times: 1 })
    const limited = await fetch(url)
    expect([limited.status, limited.headers.get('retry-after'), limited.headers.get('ratelimit')]).toEqual([
      429,
      '7',
      '"api";r=0;t=55',
    ])
    const down = await fetch(url)
    expect([down.status, await down.text()]).toEqual([503, 'down'])
    const page = await fetch(url)
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    await expect(fetch(url)).rejects.toThrow('fetch failed')
    expect(await (await fetch(url)).text()).toBe(config)
    expect(hub.requests.map(({ status }) => status)).toEqual([429, 503, 200, 0, 200])
    expect(hub.requests[3]?.fault).toBe('"refused"')
  })

  test('end a request whose connection is closed, also one that waits behind another request', async () => {
    hub.addRepo('org/tiny', { files: tiny })
    hub.fault({ path: /slow/ }, { delayMs: 60_000 })
    hub.fault({ path: /next/ }, 'refused')
    const { hostname, port } = new URL(hub.url)
    const socket = connect(Number(port), hostname)
    socket.write(['slow', 'next'].map((path) => `GET /${path} HTTP/1.1\r\nHost: hub\r\n\r\n`).join(''))
    await once(socket, 'close')
    await hub.idle()
    expect(hub.requests.map(({ path, status }) => [path, status])).toEqual([
      ['/slow', 0],
      ['/next', 0],
    ])
  })

  test('can be removed', async () => {
    hub.addRepo('org/tiny', { files: tiny })
    const remove = hub.fault({ origin: 'hub' }, { status: 500 })
    expect((await fetch(`${hub.url}/api/models/org/tiny`)).status).toBe(500)
    expect((await fetch(`${hub.url}/api/models/org/tiny`)).status).toBe(500)
    remove()
    expect((await fetch(`${hub.url}/api/models/org/tiny`)).status).toBe(200)
  })

  test.for<[string, Fault, Partial<Received>]>([
    [
      'truncated below its Content-Length',
      { truncate: 1000 },
      { promised: '50000', received: 1000, ending: 'aborted' },
    ],
    [
      'truncated and chunked',
      { truncate: 1000, contentLength: false },
      { promised: undefined, received: 1000, ending: 'end' },
    ],
    ['short with a matching Content-Length', { shortBody: 1000 }, { promised: '1000', received: 1000, ending: 'end' }],
    ['reset', { reset: 1000 }, { ending: 'aborted' }],
    ['reset at once', { reset: 0 }, { ending: 'aborted' }],
    ['closed at once', { truncate: 0 }, { received: 0, ending: 'aborted' }],
    ['slow', { bytesPerSecond: 500_000 }, { promised: '50000', received: 50_000, ending: 'end' }],
  ])('change the body: %s', async ([, fault, expected], { expect }) => {
    hub.addRepo('org/tiny', { files: tiny })
    hub.fault({ origin: 'cdn', file: 'onnx/model.onnx' }, fault, { times: 1 })
    const location = (await fetch(hub.url + modelPath, { redirect: 'manual' })).headers.get('location') ?? ''
    const begun = performance.now()
    expect(await receive(location)).toMatchObject(expected)
    if (typeof fault === 'object' && 'bytesPerSecond' in fault) expect(performance.now() - begun).toBeGreaterThan(90)
    expect(await receive(location)).toMatchObject({ received: 50_000, ending: 'end' })
  })

  test('are not applied to requests on which they would have no effect', async () => {
    hub.addRepo('org/tiny', { files: tiny })
    hub.fault({ file: 'onnx/model.onnx' }, { flipByte: 40_000 }, { times: 1 })
    const probe = await fetch(hub.url + modelPath, { headers: { range: 'bytes=0-0' } })
    expect(await bytesOf(probe)).toEqual(weights.subarray(0, 1))
    const spoiled = await bytesOf(await fetch(hub.url + modelPath))
    const differing = [...spoiled.keys()].filter((at) => spoiled[at] !== weights[at])
    expect(differing).toEqual([40_000])
    expect(spoiled[40_000]).toBe((weights[40_000] ?? 0) ^ 0xff)
    expect(weights.equals(await bytesOf(await fetch(hub.url + modelPath)))).toBe(true)
  })

  test('stall until the client closes the connection', async () => {
    hub.addRepo('org/tiny', { files: tiny })
    hub.fault({ origin: 'cdn' }, { stallAfter: 1000 })
    const leave = new AbortController()
    const response = await fetch(hub.url + modelPath, { signal: leave.signal })
    const reader = response.body?.getReader()
    let received = 0
    while (received < 1000) received += (await reader?.read())?.value?.length ?? 0
    expect(received).toBe(1000)
    expect(hub.requests.at(-1)?.endTime).toBeUndefined()
    leave.abort()
    await hub.idle()
    expect(hub.requests.at(-1)).toMatchObject({ bytesSent: 1000, endTime: expect.any(Number) })
  })

  test('delay a response', async () => {
    hub.addRepo('org/tiny', { files: tiny })
    hub.fault({ kind: 'api' }, { delayMs: 60 }, { times: 1 })
    hub.fault({ kind: 'api' }, { status: 418 }, { times: 1 })
    const begun = performance.now()
    expect((await fetch(`${hub.url}/api/models/org/tiny`)).status).toBe(418)
    expect(performance.now() - begun).toBeGreaterThan(55)
  })

  test('refuse connections until the Hub listens again on the same port', async () => {
    hub.addRepo('org/tiny', { files: tiny })
    const url = `${hub.url}/api/models/org/tiny`
    expect((await fetch(url)).status).toBe(200)
    await hub.stopListening()
    await expect(fetch(url)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
    await hub.resumeListening()
    expect((await fetch(url)).status).toBe(200)
  })
})

describe('the hub', () => {
  test('limits the rate of one connection and of all connections together', async () => {
    hub.addRepo('org/tiny', { files: tiny })
    const load = async () => {
      const begun = performance.now()
      await (await fetch(`${hub.url}/org/tiny/resolve/main/onnx/model.onnx`)).arrayBuffer()
      return performance.now() - begun
    }
    hub.throttle({ perConnection: 500_000 })
    expect(await load()).toBeGreaterThan(90)
    hub.throttle({ total: 500_000 })
    expect(Math.max(...(await Promise.all([load(), load()])))).toBeGreaterThan(180)
    hub.throttle({ latencyMs: 50 })
    expect(await load()).toBeGreaterThan(95)
  })

  test('logs requests, lets a test await one, and clears the log', async () => {
    hub.addRepo('org/tiny', { files: tiny })
    const next = hub.waitForRequest({ file: 'config.json' })
    await (await fetch(`${hub.url}/org/tiny/resolve/main/config.json?download=true`)).text()
    expect(await next).toMatchObject({
      origin: 'hub',
      kind: 'resolve',
      method: 'GET',
      path: '/org/tiny/resolve/main/config.json',
      query: '?download=true',
      repo: 'org/tiny',
      revision: 'main',
      status: 200,
      bytesSent: config.length,
      authorization: false,
    })
    expect(hub.bytesSent()).toBe(config.length)
    hub.clearRequests()
    expect(hub.requests).toEqual([])
  })

  test('closes connections and ends timers when it is closed', async () => {
    hub.addRepo('org/tiny', { files: tiny })
    hub.fault({ kind: 'api' }, { delayMs: 60_000 })
    hub.throttle({ perConnection: 1000 })
    const waiting = expect(fetch(`${hub.url}/api/models/org/tiny`)).rejects.toThrow('fetch failed')
    const trickling = fetch(`${hub.url}/org/tiny/resolve/main/onnx/model.onnx`).then((response) => response.text())
    const cut = expect(trickling).rejects.toThrow()
    await Promise.all([hub.waitForRequest({ kind: 'api' }), hub.waitForRequest({ kind: 'cdn' })])
    await hub.close()
    await Promise.all([waiting, cut])
  })

  test('sends a file from disk, and logs the failure when the file is removed', async () => {
    const path = join(folder, 'large file.bin')
    const large = Buffer.alloc(3_000_000, 'large')
    await writeFile(path, large)
    hub.addRepo('org/disk', { files: { 'large.bin': { path } } })
    const url = `${hub.url}/org/disk/resolve/main/large.bin`
    expect(large.equals(await bytesOf(await fetch(url)))).toBe(true)
    const part = await bytesOf(await fetch(url, { headers: { range: 'bytes=1000000-2999998' } }))
    expect(large.subarray(1_000_000, 2_999_999).equals(part)).toBe(true)
    await rm(path)
    const location = (await fetch(url, { redirect: 'manual' })).headers.get('location') ?? ''
    expect(await receive(location)).toMatchObject({ received: 0, ending: 'aborted' })
    expect(hub.requests.at(-1)?.failure).toMatchObject({ code: 'ENOENT' })
  })

  test('accepts requests from a page of another origin', async () => {
    hub.addRepo('org/tiny', { files: tiny })
    const url = `${hub.url}/org/tiny/resolve/main/config.json`
    const preflight = await fetch(url, { method: 'OPTIONS' })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-headers')).toContain('range')
    expect((await fetch(url)).headers.get('access-control-allow-origin')).toBe('*')
  })

  test('can use another host name for its CDN', async () => {
    hub = await start({ cdnHost: 'localhost' })
    hub.addRepo('org/tiny', { files: tiny })
    const response = await fetch(`${hub.url}/org/tiny/resolve/main/onnx/model.onnx`)
    expect(new URL(response.url).hostname).toBe('localhost')
    expect(weights.equals(await bytesOf(response))).toBe(true)
  })

  test('is closed at the end of an `await using` scope', async () => {
    let url: string
    {
      await using scoped = await startHub()
      url = scoped.url
      expect((await fetch(url)).status).toBe(404)
    }
    await expect(fetch(url)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
  })
})

interface Received {
  promised: string | undefined
  received: number
  ending: 'end' | 'aborted'
}

/** Uses node:http instead of fetch, to get the number of received bytes and the kind of the ending. */
function receive(url: string): Promise<Received> {
  return new Promise((resolve) => {
    let response: IncomingMessage | undefined
    let received = 0
    const finish = (ending: Received['ending']) =>
      resolve({ promised: response?.headers['content-length'], received, ending })
    const request = httpGet(url, { agent: false }, (arrived) => {
      response = arrived
      arrived.on('data', (chunk: Uint8Array) => {
        received += chunk.length
      })
      arrived.once('end', () => finish('end'))
      arrived.once('error', () => finish('aborted'))
    })
    request.once('error', () => finish('aborted'))
  })
}
