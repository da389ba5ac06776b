import { createHash } from 'node:crypto'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { Engine, sha256 } from '../support/engine.ts'
import type { Repository } from '../support/hub/index.ts'
import { TestServing } from '../support/serving.ts'

const TOKEN = 'hf_of_the_owner'
const CONFIG = '{"model_type":"bert"}'
const WEIGHTS = 'weights '.repeat(5_000)
const FILES = { 'config.json': CONFIG, 'onnx/model.onnx': WEIGHTS, 'onnx/later.onnx': 'later', 'a/b/c.txt': 'c' }

let engine: Engine
let repository: Repository
beforeEach(async () => {
  engine = await Engine.start(onTestFinished, { token: TOKEN })
  repository = engine.hub.addRepo('org/open', { files: FILES, pipelineTag: 'feature-extraction' })
  engine.hub.addRepo('org/secret', { files: FILES, private: true })
  engine.hub.addRepo('org/gated', { files: FILES, gated: 'auto' })
  const env = { HF_HOME: `${engine.folder}/no login`, HF_ENDPOINT: engine.hub.url, HF_TOKEN: TOKEN }
  const files = ['config.json', 'onnx/model.onnx']
  await engine.open({ env }).warm(['org/open', 'org/secret', 'org/gated'].map((repo) => ({ repo, files })))
  await engine.hub.stopListening()
})

const serve = (settings: Parameters<typeof TestServing.start>[2] = {}) =>
  TestServing.start(engine, onTestFinished, settings)

describe('a file', () => {
  test('is served whole, in part, or by its headers alone, with the headers that clients read', async () => {
    const server = await serve()
    const path = '/org/open/resolve/main/onnx/model.onnx'
    const etag = `"${sha256(WEIGHTS)}"`
    const described = {
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
      etag,
      'x-linked-etag': etag,
      'x-linked-size': String(WEIGHTS.length),
      'x-repo-commit': repository.commit,
      'x-content-type-options': 'nosniff',
    }
    const [whole, head, part] = await Promise.all([
      server.ask(path),
      server.ask(path, {}, 'HEAD'),
      server.ask(path, { Range: 'bytes=8-15' }),
    ])
    expect(whole).toMatchObject({ status: 200, body: WEIGHTS, headers: described })
    expect(whole.headers['content-length']).toBe(String(WEIGHTS.length))
    expect(head).toMatchObject({ status: 200, body: '', headers: { ...described, 'content-length': '40000' } })
    expect(part).toMatchObject({ status: 206, body: 'weights ', headers: { ...described, 'content-length': '8' } })
    expect((await server.ask('/api/models/org/open')).headers).toHaveProperty('content-length')
    expect(part.headers['content-range']).toBe('bytes 8-15/40000')
  })

  test('honours ranges and conditions', async () => {
    const server = await serve()
    const cases: [Record<string, string>, number, string][] = [
      [{ Range: 'bytes=-8' }, 206, 'weights '],
      [{ Range: 'bytes=39992-' }, 206, 'weights '],
      [{ Range: 'bytes=39992-99999' }, 206, 'weights '],
      [{ Range: 'bytes=40000-' }, 416, ''],
      [{ Range: 'bytes=0-7', 'If-Range': `"${sha256(WEIGHTS)}"` }, 206, 'weights '],
      [{ Range: 'bytes=0-7', 'If-Range': '"other"' }, 200, WEIGHTS],
      [{ Range: 'bytes=0-7,16-23' }, 200, WEIGHTS],
      [{ Range: 'lines=0-7' }, 200, WEIGHTS],
      [{ 'If-None-Match': `"${sha256(WEIGHTS)}"` }, 304, ''],
      [{ 'If-None-Match': '"other"' }, 200, WEIGHTS],
    ]
    for (const [headers, status, body] of cases) {
      const answer = await server.ask('/org/open/resolve/main/onnx/model.onnx', headers)
      expect.soft([headers, answer.status, answer.body]).toEqual([headers, status, body])
    }
  })

  test('is found by branch, commit and encoded ref, and `raw` is the pointer that git has', async () => {
    const server = await serve()
    for (const revision of ['main', repository.commit])
      expect((await server.ask(`/org/open/resolve/${revision}/config.json`)).body).toBe(CONFIG)
    expect((await server.ask('/org%2Fopen/resolve/main/config.json?download=true')).body).toBe(CONFIG)
    expect((await server.ask('/org/open/raw/main/config.json')).body).toBe(CONFIG)
    const pointer = await server.ask('/org/open/raw/main/onnx/model.onnx')
    expect(pointer.body).toBe(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(WEIGHTS)}\nsize 40000\n`)
    const gitId = createHash('sha1').update(`blob ${pointer.body.length}\0${pointer.body}`).digest('hex')
    expect(pointer.headers.etag).toBe(`"${gitId}"`)
  })

  test('that the commit does not have is the 404 of the Hub; one that is not cached is a 504 that says what to do', async () => {
    const server = await serve()
    const missing = await server.ask('/org/open/resolve/main/none.json')
    expect(missing).toMatchObject({ status: 404, headers: { 'x-error-code': 'EntryNotFound' } })
    const uncached = await server.ask('/org/open/resolve/main/onnx/later.onnx')
    expect(uncached.status).toBe(504)
    expect(uncached.body).toMatch(
      /^onnx\/later.onnx of org\/open at .+ not in this cache.+--pull-through.+ files: \['onnx\/later.onnx'\]/,
    )
    expect(uncached.headers['x-error-code']).toBeUndefined()
    const revision = await server.ask('/org/open/resolve/v2/config.json')
    expect(revision).toMatchObject({ status: 504, body: expect.stringContaining('at v2 is not in this cache') })
  })
})

describe('the API', () => {
  test('tells the commit, the access, the task and the files of a model', async () => {
    const server = await serve()
    const paths = ['/api/models/org/open', `/api/models/org/open/revision/${repository.commit}?blobs=true`]
    const [plain, blobs] = await Promise.all(paths.map(async (path) => JSON.parse((await server.ask(path)).body)))
    const siblings = Object.keys(FILES)
      .sort()
      .map((rfilename) => ({ rfilename }))
    expect(plain).toMatchObject({
      ...{ id: 'org/open', sha: repository.commit, private: false, gated: false, author: 'org' },
      ...{ pipeline_tag: 'feature-extraction', siblings },
    })
    expect(blobs.siblings).toContainEqual({
      ...{ rfilename: 'onnx/model.onnx', size: 40_000, blobId: expect.stringMatching(/^[0-9a-f]{40}$/) },
      lfs: { sha256: sha256(WEIGHTS), size: 40_000, pointerSize: 130 },
    })
    const expanded = await server.ask(
      '/api/models/org/open?expand=sha&expand=private&expand=__proto__&expand=constructor',
    )
    expect(JSON.parse(expanded.body)).toEqual({
      ...{ _id: expect.any(String), id: 'org/open' },
      sha: plain.sha,
      private: false,
    })
  })

  test('lists folders as git has them, page by page', async () => {
    const server = await serve()
    const address = '/api/models/org/open/tree/main'
    const list = async (path: string) => JSON.parse((await server.ask(path)).body)
    const paths = (entries: { path: string }[]) => entries.map(({ path }) => path)
    expect(paths(await list(address))).toEqual(['a', 'config.json', 'onnx'])
    expect(paths(await list(`${address}/onnx`))).toEqual(['onnx/later.onnx', 'onnx/model.onnx'])
    const all = ['a', 'a/b', 'a/b/c.txt', 'config.json', 'onnx', 'onnx/later.onnx', 'onnx/model.onnx']
    expect(paths(await list(`${address}?recursive=True&expand=False`))).toEqual(all)
    // As `git write-tree` prints it.
    const [folder] = await list(address)
    expect(folder).toEqual({ type: 'directory', oid: 'a4862320899011877f0cba91e6b88df1bb478df9', size: 0, path: 'a' })
    const found: string[] = []
    for (let next: string | undefined = `${server.url}${address}?recursive=true&limit=3`; next; ) {
      const response: Response = await fetch(next)
      found.push(...paths(await response.json()))
      next = /<(.+)>; rel="next"/.exec(response.headers.get('Link') ?? '')?.[1]
    }
    expect(found).toEqual(all)
    const forwarded = { 'X-Forwarded-Host': 'models.example', 'X-Forwarded-Proto': 'https' }
    const { link } = (await server.ask(`${address}?limit=1`, forwarded)).headers
    expect(link).toMatch(
      /^<https:\/\/models\.example\/api\/models\/org\/open\/tree\/main\?limit=1&cursor=\w+>; rel="next"$/,
    )
    expect((await server.ask(`${address}/none`)).status).toBe(404)
    expect((await server.ask(`${address}/config.json`)).headers['x-error-code']).toBe('EntryNotFound')
  })

  test('describes paths that are asked for as JSON or as a form', async () => {
    const server = await serve()
    const address = '/api/models/org/open/paths-info/main'
    const asked = { paths: ['config.json', 'onnx', 'none'], expand: true }
    const json = await server.ask(address, { 'Content-Type': 'application/json' }, 'POST', JSON.stringify(asked))
    expect(JSON.parse(json.body)).toMatchObject([
      { type: 'file', path: 'config.json', size: CONFIG.length, lastCommit: { id: repository.commit } },
      { type: 'directory', path: 'onnx' },
    ])
    const form = 'paths=config.json&paths=onnx%2Fmodel.onnx&expand=False'
    const posted = await server.ask(address, { 'Content-Type': 'application/x-www-form-urlencoded' }, 'POST', form)
    expect(JSON.parse(posted.body)).toMatchObject([{ path: 'config.json' }, { lfs: { oid: sha256(WEIGHTS) } }])
    expect((await server.ask(address)).status).toBe(405)
    expect((await server.ask(address, {}, 'POST', 'x'.repeat(1 << 21))).status).toBe(413)
  })

  test('of other kinds of repos is a 404 that says so', async () => {
    const server = await serve()
    for (const path of ['/api/datasets/org/open', '/datasets/org/open/resolve/main/a', '/spaces/org/open/raw/main/a'])
      expect(await server.ask(path)).toMatchObject({ status: 404, body: expect.stringContaining('Only models are') })
  })
})

describe('a model that is not public', () => {
  const reads = (repo: string) => [
    `/api/models/${repo}`,
    `/api/models/${repo}/tree/main`,
    `/${repo}/resolve/main/config.json`,
    `/${repo}/resolve/main/none`,
    `/${repo}/raw/main/onnx/model.onnx`,
    `/${repo}/resolve/v2/config.json`,
  ]

  test('is answered exactly as one that does not exist', async () => {
    const server = await serve()
    const answersFor = async (repo: string) =>
      Promise.all(
        reads(repo).flatMap((path) =>
          ['GET', 'HEAD'].map(async (method) => {
            const { status, body, headers } = await server.ask(path, {}, method)
            const { date, 'content-length': _, ...rest } = headers
            return JSON.stringify({ status, body, rest }).replaceAll(repo, 'REPO')
          }),
        ),
      )
    const [none, secret, gated] = await Promise.all(['org/none', 'org/secret', 'org/gated'].map(answersFor))
    expect(secret).toEqual(none)
    expect(gated).toEqual(none)
    expect(JSON.parse(none?.[0] ?? '')).toMatchObject({ status: 401, rest: { 'x-error-code': 'RepoNotFound' } })
  })

  test('is served to clients with the token of the server, and nothing at all to others', async () => {
    const server = await serve({ token: 'of the server'.replaceAll(' ', '-') })
    const right = { Authorization: 'Bearer of-the-server' }
    for (const repo of ['org/open', 'org/secret', 'org/gated'])
      expect((await server.ask(`/${repo}/resolve/main/config.json`, right)).body).toBe(CONFIG)
    expect(JSON.parse((await server.ask('/api/models/org/secret', right)).body)).toMatchObject({ private: true })
    const none = await server.ask('/api/models/org/none', right)
    expect(none).toMatchObject({ status: 404, headers: { 'x-error-code': 'RepoNotFound' } })
    const wrong: Record<string, string>[] = [
      {},
      { Authorization: `Bearer ${TOKEN}` },
      { Authorization: 'of-the-server' },
    ]
    for (const headers of wrong)
      for (const path of reads('org/open')) expect((await server.ask(path, headers)).status).toBe(401)
  })
})
