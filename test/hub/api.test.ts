import { createHash } from 'node:crypto'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { fetchModel, fetchTree } from '../../src/hub/api.ts'
import type { HubAccess } from '../../src/hub/http.ts'
import { ModelCacheError } from '../../src/model/errors.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { parseCommit } from '../../src/model/revision.ts'
import { type Hub, type HubOptions, startHub } from '../support/hub/index.ts'

const TOKEN = 'hf_of_a_member'
const OUTSIDER = 'hf_of_an_outsider'
const WEIGHTS = Buffer.alloc(50_000, 'weights')
const FILES = { 'config.json': '{}', 'onnx/model.onnx': WEIGHTS, 'onnx/deep/note.txt': '', 'README.md': '# Name' }

let hub: Hub

beforeEach(async () => {
  hub = await start()
})

async function start(options?: HubOptions): Promise<Hub> {
  const started = await startHub({ token: TOKEN, tokenWithoutAccess: OUTSIDER, ...options })
  onTestFinished(() => started.close())
  return started
}

function access(token?: string, endpoint = hub.url): HubAccess {
  return { endpoint, fetch, token }
}

function model(name: string, { revision = 'main', token, endpoint }: Record<string, string | undefined> = {}) {
  return fetchModel(access(token, endpoint), { repo: parseRepoId(name), revision, asked: `Model ${name}` })
}

async function treeOf(name: string, commit: string, { token, stallMs }: { token?: string; stallMs?: number } = {}) {
  const request = { repo: parseRepoId(name), commit: parseCommit(commit, 'a test'), asked: `Model ${name}` }
  return fetchTree(access(token), { ...request, stallMs })
}

async function refusalOf(request: Promise<unknown>): Promise<ModelCacheError> {
  const error = await request.catch((thrown: unknown) => thrown)
  if (error instanceof ModelCacheError) return error
  throw new Error('The request was not refused', { cause: error })
}

describe('a model', () => {
  test('is looked up with one request', async () => {
    const repository = hub.addRepo('org/name', { files: FILES, pipelineTag: 'fill-mask' })
    expect(await model('org/name')).toEqual({
      repo: 'org/name',
      commit: repository.commit,
      access: 'public',
      task: 'fill-mask',
    })
    expect(hub.requests).toHaveLength(1)
  })

  test('is found by a branch, a tag, a pull request and a commit', async () => {
    const repository = hub.addRepo('org/name', { files: FILES })
    const first = repository.commit
    repository.tag('v1.0')
    repository.branch('refs/pr/1')
    repository.branch('feature/x')
    repository.addCommit({ files: { 'config.json': '{ "later": true }' } })
    for (const revision of ['v1.0', 'refs/pr/1', 'feature/x', first])
      expect((await model('org/name', { revision })).commit).toBe(first)
    expect((await model('org/name')).commit).toBe(repository.commit)
  })

  test('has its present name after it was renamed', async () => {
    hub.addRepo('org/old', { files: FILES })
    hub.renameRepo('org/old', 'org/new')
    expect((await model('org/old')).repo).toBe('org/new')
  })

  test('has its access stated', async () => {
    hub.addRepo('org/private', { files: FILES, private: true })
    hub.addRepo('org/gated', { files: FILES, gated: 'manual' })
    expect((await model('org/private', { token: TOKEN })).access).toBe('private')
    expect((await model('org/gated')).access).toBe('gated')
  })

  test('is looked up again when the Hub was busy', async () => {
    hub.addRepo('org/name', { files: FILES })
    hub.fault({}, { status: 429, retryAfter: 0 }, { times: 1 })
    hub.fault({}, { status: 503, retryAfter: 0 }, { times: 1 })
    expect((await model('org/name')).repo).toBe('org/name')
    expect(hub.requests).toHaveLength(3)
  })
})

describe('a model that does not exist or needs access', () => {
  test('is refused as MODEL_NOT_FOUND after one request if the repo does not exist', async () => {
    for (const token of [undefined, TOKEN]) {
      hub.clearRequests()
      const error = await refusalOf(model('org/missing', { token }))
      expect(error).toMatchObject({ code: 'MODEL_NOT_FOUND', asked: 'Model org/missing' })
      expect(error.reason).toContain(hub.url)
      expect(hub.requests).toHaveLength(1)
    }
  })

  test('is refused as MODEL_NOT_FOUND if it is private: the error does not say that it exists', async () => {
    hub.addRepo('org/private', { files: FILES, private: true })
    const anonymous = await refusalOf(model('org/private'))
    expect(anonymous).toMatchObject({ code: 'MODEL_NOT_FOUND', nextStep: expect.stringContaining('HF_TOKEN') })
    const outsider = await refusalOf(model('org/private', { token: OUTSIDER }))
    expect(outsider).toMatchObject({
      code: 'MODEL_NOT_FOUND',
      reason: expect.stringContaining('the token has no access to it'),
    })
  })

  test('is refused with the statement that the token was refused, if the token is invalid', async () => {
    hub.addRepo('org/private', { files: FILES, private: true })
    const error = await refusalOf(model('org/private', { token: 'hf_revoked' }))
    expect(error).toMatchObject({
      code: 'MODEL_NOT_FOUND',
      reason: expect.stringMatching(/The token was refused \(HTTP 401\)/),
      nextStep: expect.stringContaining(`${hub.url}/settings/tokens`),
    })
    expect(hub.requests.map(({ status }) => status)).toEqual([401, 401])
  })

  test('is found with an invalid token if it is public', async () => {
    hub.addRepo('org/public', { files: FILES })
    expect(await model('org/public', { token: 'hf_made_up' })).toMatchObject({ repo: 'org/public', access: 'public' })
  })

  test('is refused as REVISION_NOT_FOUND if it has no such revision', async () => {
    hub.addRepo('org/name', { files: FILES })
    const error = await refusalOf(model('org/name', { revision: 'v9' }))
    expect(error.code).toBe('REVISION_NOT_FOUND')
    expect(hub.requests).toHaveLength(1)
  })

  test('is refused with an error that does not show the token', async () => {
    hub.addRepo('org/private', { files: FILES, private: true })
    const error = await refusalOf(model('org/private', { token: OUTSIDER }))
    expect(`${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain(OUTSIDER)
  })
})

describe('a Hub', () => {
  test('that does not listen is HUB_UNREACHABLE, with the reason', async () => {
    await hub.stopListening()
    const error = await refusalOf(model('org/name'))
    expect(error).toMatchObject({ code: 'HUB_UNREACHABLE', asked: 'Model org/name' })
    expect(error.reason).toMatch(/ECONNREFUSED/)
    expect(error.reason).toContain(hub.url)
  })

  test('that limits requests permanently is HUB_ERROR after five attempts', async () => {
    hub.fault({}, { status: 429, retryAfter: 0 })
    const error = await refusalOf(model('org/name'))
    expect(error).toMatchObject({ code: 'HUB_ERROR', reason: expect.stringContaining('429') })
    expect(hub.requests).toHaveLength(5)
  })

  test('that responds with a page once is asked again', async () => {
    hub.addRepo('org/name', { files: FILES })
    hub.fault({}, { html: true }, { times: 1 })
    expect((await model('org/name')).repo).toBe('org/name')
    expect(hub.requests).toHaveLength(2)
  })

  test('that always responds with a page is HUB_ERROR, and the error suggests to check the endpoint and the proxy', async () => {
    hub.fault({}, { html: true })
    const error = await refusalOf(model('org/name'))
    expect(error).toMatchObject({
      code: 'HUB_ERROR',
      reason: expect.stringContaining(hub.url),
      nextStep: expect.stringMatching(/HF_ENDPOINT.*proxy/),
    })
  })

  test('that responds with HTTP 403 is ACCESS_DENIED', async () => {
    hub.fault({}, { status: 403 })
    expect((await refusalOf(model('org/name'))).code).toBe('ACCESS_DENIED')
  })
})

describe('the files of a commit', () => {
  test('are listed with size and digest: the git sha1 for small files, sha256 for LFS files', async () => {
    const { commit } = hub.addRepo('org/name', { files: FILES })
    const tree = await treeOf('org/name', commit)
    expect([...tree.keys()].sort()).toEqual(['README.md', 'config.json', 'onnx/deep/note.txt', 'onnx/model.onnx'])
    const files = Object.fromEntries([...tree])
    const empty = 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    expect(files['onnx/deep/note.txt']).toMatchObject({ size: 0, digest: `sha1:${empty}`, gitId: empty })
    expect(files['onnx/model.onnx']).toMatchObject({
      size: WEIGHTS.byteLength,
      digest: `sha256:${createHash('sha256').update(WEIGHTS).digest('hex')}`,
      gitId: expect.stringMatching(/^[0-9a-f]{40}$/),
    })
  })

  test('are listed with one request for each page', async () => {
    hub = await start({ treePageSize: 3 })
    const files = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`file-${index}.txt`, `${index}`]))
    const { commit } = hub.addRepo('org/many', { files })
    expect((await treeOf('org/many', commit)).size).toBe(10)
    expect(hub.requests).toHaveLength(4)
  })

  test('are requested from the mirror when its link to the next page leads to the Hub behind it', async () => {
    const elsewhere = await start()
    const { commit } = hub.addRepo('org/name', { files: FILES })
    const path = `/api/models/org/name/tree/${commit}`
    const firstPage = JSON.stringify([{ type: 'file', path: 'first.txt', size: 0, oid: 'e'.repeat(40) }])
    const next = `${elsewhere.url}${path}?recursive=true&limit=100`
    hub.fault({}, { status: 200, headers: { Link: `<${next}>; rel="next"` }, body: firstPage }, { times: 1 })
    expect((await treeOf('org/name', commit, { token: TOKEN })).size).toBe(Object.keys(FILES).length + 1)
    expect(hub.requests.map(({ authorization }) => authorization)).toEqual([true, true])
    expect(elsewhere.requests).toEqual([])
  })

  test('are refused when the link to the next page leads to another listing', async () => {
    const elsewhere = await start()
    const { commit } = hub.addRepo('org/name', { files: FILES })
    hub.fault({}, { status: 200, headers: { Link: `<${elsewhere.url}/other>; rel="next"` }, body: '[]' })
    expect(await refusalOf(treeOf('org/name', commit))).toMatchObject({ code: 'HUB_ERROR', asked: 'Model org/name' })
    expect(elsewhere.requests).toEqual([])
  })

  test('are refused when one is stated with two digests, or with a negative size', async () => {
    const { commit } = hub.addRepo('org/name', { files: FILES })
    const file = (oid: string, size = 1) => ({ type: 'file', path: 'a.txt', size, oid: oid.repeat(40) })
    for (const listing of [[file('a'), file('b')], [file('a', -1)]]) {
      hub.fault({}, { status: 200, body: JSON.stringify(listing) }, { times: 1 })
      const error = await refusalOf(treeOf('org/name', commit))
      expect(error).toMatchObject({ code: 'HUB_ERROR', reason: expect.stringContaining('"a.txt"') })
    }
  })

  test('may take longer than the stall time in total, and a failed page is requested again by itself', async () => {
    hub = await start({ treePageSize: 1 })
    const files = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`file-${index}.txt`, `${index}`]))
    const { commit } = hub.addRepo('org/many', { files })
    hub.fault(({ query }) => query.includes('cursor'), { status: 503, retryAfter: 0 }, { times: 1 })
    expect((await treeOf('org/many', commit)).size).toBe(12)
    expect(hub.requests).toHaveLength(13)
    hub.fault({}, { delayMs: 100 })
    expect((await treeOf('org/many', commit, { stallMs: 1_000 })).size).toBe(12)
  })

  test('are refused when a path could lead out of the cache', async () => {
    const { commit } = hub.addRepo('org/evil', { files: { '..\\..\\evil.txt': 'x', 'config.json': '{}' } })
    const error = await refusalOf(treeOf('org/evil', commit))
    expect(error).toMatchObject({ code: 'UNSAFE_PATH', asked: 'Model org/evil' })
  })

  test('are REVISION_NOT_FOUND at a commit that does not exist', async () => {
    hub.addRepo('org/name', { files: FILES })
    expect((await refusalOf(treeOf('org/name', 'f'.repeat(40)))).code).toBe('REVISION_NOT_FOUND')
  })
})
