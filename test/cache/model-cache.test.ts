import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { scanCacheDir } from '@huggingface/hub'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { CachedModel } from '../../src/cache/cached-model.ts'
import { ModelCache, openModelCache, type RequestEvent } from '../../src/cache/index.ts'
import { parseModel } from '../../src/model/model.ts'
import { selectionKey } from '../../src/model/selection.ts'
import { contentsOf, Engine, filesOf, gitSha1, pathsOf, refusalOf, sha256 } from '../support/engine.ts'
import { makeRequest } from '../support/request.ts'

const TOKEN = 'hf_of_a_member'
const WEIGHTS = Buffer.alloc(50_000, 'weights')
const FILES = { 'config.json': '{"model_type":"custom"}', 'weights.bin': WEIGHTS, 'notes/read me.txt': 'a note' }
const CONTENTS = { ...FILES, 'weights.bin': WEIGHTS.toString('latin1') }
const DAY_MS = 86_400_000

/** The files that `pipeline('feature-extraction')` loads from a generated embedding model. */
const EMBEDDING = ['config.json', 'onnx/model.onnx', 'tokenizer.json', 'tokenizer_config.json']

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished, { token: TOKEN })
})

/** The request event of a test that used the model. */
function useOf(model: CachedModel, spec: Parameters<typeof parseModel>[0]): RequestEvent {
  const { repo, revision, commit, tier, files, downloadMs, downloadedBytes } = model
  const selection = selectionKey(parseModel(spec).selection)
  return makeRequest({ repo, revision, commit, tier, selection, files: [...files], downloadMs, downloadedBytes })
}

describe('the first get of a model', () => {
  test('downloads each planned file once, and no other file', async () => {
    const { directory } = await engine.addEmbeddings('org/name', { dtypes: ['fp32', 'q8', 'fp16'] })
    const model = await engine.open().get('org/name')
    expect(pathsOf(model)).toEqual(EMBEDDING)
    expect(engine.filesAsked.sort()).toEqual(EMBEDDING)
    expect(model).toMatchObject({ tier: 'hub', revision: 'main', downloadedBytes: model.bytes, warmedInThisRun: false })
    expect(model.downloadMs).toBeGreaterThan(0)
    expect(model.recordedDownloadMs).toBeCloseTo(model.downloadMs ?? 0)
    expect(engine.fileBytes).toBe(model.bytes)
    for (const path of EMBEDDING)
      expect(await readFile(model.file(path)), path).toEqual(await readFile(join(directory, path)))
    expect(engine.warnings).toEqual([])
  })

  test('writes a Hugging Face cache that other tools can read', async () => {
    const { commit } = engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get('org/name')
    const [weights, config, note] = [sha256(WEIGHTS), gitSha1(FILES['config.json']), gitSha1('a note')]
    const repo = 'hub/models--org--name'
    expect(await engine.listing(repo)).toEqual(
      [
        ...[weights, config, note].map((name) => `blobs/${name}`),
        'refs/main',
        ...['config.json', 'notes/read me.txt', 'weights.bin'].map((path) => `snapshots/${commit}/${path}`),
      ].sort(),
    )
    for (const [path, target] of [
      ['weights.bin', `../../blobs/${weights}`],
      ['notes/read me.txt', `../../../blobs/${note}`],
    ] as const)
      expect(await readlink(engine.inCache(repo, 'snapshots', commit, path))).toBe(target)
    expect((await stat(engine.inCache(repo, 'blobs', weights))).mode & 0o777).toBe(0o444)
    expect((await stat(engine.inCache(repo, 'blobs'))).mode & 0o777).toBe(0o700)
    expect(await readFile(engine.inCache(repo, 'refs/main'), 'utf8')).toBe(commit)
    expect(
      JSON.parse(await readFile(engine.inCache(engine.inOrigin('models--org--name', `trees/${commit}.json`)), 'utf8')),
    ).toEqual({
      format_version: 1,
      files: {
        'config.json': { size: FILES['config.json'].length, blob_id: config },
        'notes/read me.txt': { size: 6, blob_id: note },
        'weights.bin': {
          size: WEIGHTS.length,
          blob_id: expect.stringMatching(/^[0-9a-f]{40}$/),
          lfs_sha256: weights,
          lfs_size: WEIGHTS.length,
        },
      },
    })
    const { repos, warnings } = await scanCacheDir(engine.inCache('hub'))
    expect(warnings).toEqual([])
    expect(repos).toMatchObject([{ id: { name: 'org/name' }, revisions: [{ commitOid: commit, refs: ['main'] }] }])
  })

  test('writes the marker file and leaves no unfinished downloads', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get('org/name')
    expect(JSON.parse(await readFile(engine.inCache('cache.json'), 'utf8'))).toEqual({ format: 1 })
    expect(await readFile(engine.inCache('CACHEDIR.TAG'), 'utf8')).toMatch(
      /^Signature: 8a477f597d28d172789f06886806bc55\n/,
    )
    expect(await engine.listing('incoming')).toEqual([])
  })

  test('is recorded with the promised fields', async () => {
    const { commit } = engine.hub.addRepo('org/name', { files: FILES, pipelineTag: 'fill-mask' })
    const before = Date.now()
    await engine.open().get('org/name')
    const digests = new Map([
      ['config.json', `sha1:${gitSha1(FILES['config.json'])}`],
      ['notes/read me.txt', `sha1:${gitSha1('a note')}`],
      ['weights.bin', `sha256:${sha256(WEIGHTS)}`],
    ])
    const lines = [...digests].map(([path, digest]) => `${path}\0${digest}\n`)
    const [record, ...others] = await engine.records()
    expect(others).toEqual([])
    expect(record).toMatchObject({
      modelName: 'org_name',
      originalURL: `${engine.hub.url}/org/name/tree/${commit}`,
      checksum: createHash('sha256').update(lines.join('')).digest('hex'),
      size: WEIGHTS.length + FILES['config.json'].length + 6,
      version: '1.0',
      isCompressed: false,
      ...{ repo: 'org/name', revision: 'main', commit, access: 'public', hits: 0, pinned: false, task: 'fill-mask' },
    })
    const dates = [record?.cachedDate, record?.lastAccessDate].map((date) => Date.parse(String(date)))
    for (const date of dates) {
      expect(date).toBeGreaterThanOrEqual(before)
      expect(date).toBeLessThanOrEqual(Date.now())
    }
    const { size, mtimeMs, ino } = await stat(engine.inCache('hub/models--org--name/blobs', sha256(WEIGHTS)))
    expect(record?.files).toMatchObject({
      'weights.bin': { digest: digests.get('weights.bin'), size, mtimeMs: expect.closeTo(mtimeMs, 2), ino: `${ino}` },
    })
  })

  test('reports its progress', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    const seen: [number, number][] = []
    const model = await engine.open().get('org/name', {
      onProgress: ({ receivedBytes, totalBytes }) => seen.push([receivedBytes, totalBytes]),
    })
    expect(seen.at(-1)).toEqual([model.bytes, model.bytes])
    expect(seen.map(([received]) => received)).toEqual(seen.map(([received]) => received).sort((a, b) => a - b))
  })

  test('downloads files with the same content once, and records the download time for all of them', async () => {
    engine.hub.addRepo('org/name', { files: { 'a.bin': WEIGHTS, 'b/a.bin': WEIGHTS, 'c.txt': 'c', 'd.txt': 'c' } })
    const model = await engine.open().get('org/name')
    expect(engine.filesAsked).toHaveLength(2)
    expect(engine.fileBytes).toBe(WEIGHTS.length + 1)
    expect(await contentsOf(model)).toEqual({
      'a.bin': CONTENTS['weights.bin'],
      'b/a.bin': CONTENTS['weights.bin'],
      'c.txt': 'c',
      'd.txt': 'c',
    })
    expect((await engine.open().statistics()).size).toBe(WEIGHTS.length + 1)
    expect(model.recordedDownloadMs).toBeCloseTo(model.downloadMs ?? 0)
  })

  test('supports empty files and names in any script', async () => {
    const files = { 'empty.txt': '', 'deep/also empty': '', 'モデル/重み #1 100%.txt': 'weights', 'naïve [1].txt': 'é' }
    engine.hub.addRepo('org/name', { files })
    const model = await engine.open().get('org/name')
    expect(pathsOf(model)).toEqual(Object.keys(files).sort())
    for (const [path, content] of Object.entries(files)) expect(await readFile(model.file(path), 'utf8')).toBe(content)
    expect((await engine.open().get('org/name')).tier).toBe('disk')
    expect(pathsOf(await engine.open().get(filesOf('org/name', 'naïve [1].txt')))).toEqual(['naïve [1].txt'])
  })

  test('downloads two files of a repo with 1,500', async () => {
    const files = Object.fromEntries(Array.from({ length: 1500 }, (_, index) => [`shard-${index}.txt`, `${index}`]))
    engine.hub.addRepo('org/name', { files })
    const model = await engine.open().get(filesOf('org/name', 'shard-{3,1499}.txt'))
    expect(await contentsOf(model)).toEqual({ 'shard-3.txt': '3', 'shard-1499.txt': '1499' })
    expect(engine.hub.requests.filter(({ path }) => path.includes('/tree/'))).toHaveLength(2)
    expect(engine.filesAsked).toHaveLength(2)
  })
})

describe('a cached model', () => {
  test('is served from disk without a request, by any cache object over the folder', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    const cold = await engine.open().get('org/name')
    engine.hub.clearRequests()
    const warm = await engine.open().get('org/name')
    expect(warm).toMatchObject({ tier: 'disk', downloadMs: null, downloadedBytes: 0, directory: cold.directory })
    expect(warm.recordedDownloadMs).toBeCloseTo(cold.recordedDownloadMs ?? 0)
    expect(await contentsOf(warm)).toEqual(CONTENTS)
    expect(engine.hub.requests).toEqual([])
  })

  test('is served while the Hub is down, and offline', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get('org/name')
    await engine.hub.stopListening()
    expect((await engine.open().get('org/name')).tier).toBe('disk')
    expect((await engine.open({ offline: true, maxAge: 0 }).get('org/name')).tier).toBe('disk')
    expect(engine.warnings).toEqual([])
  })

  test('is found by `has` only for selections whose files are all cached', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    const cache = engine.open()
    expect(await cache.has('org/name')).toBe(false)
    await cache.get(filesOf('org/name', '*.json'))
    expect(await cache.has(filesOf('org/name', '*.json'))).toBe(true)
    expect(await cache.has(filesOf('org/name', 'config.*'))).toBe(true)
    expect(await cache.has(filesOf('org/name', '*.bin'))).toBe(false)
    expect(await cache.has('org/name')).toBe(false)
    expect(await cache.has('org/name@v2')).toBe(false)
  })

  test('is not found by `has` for a file that the repo does not have', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get('org/name')
    expect(await engine.open().has(filesOf('org/name', 'no-such-file'))).toBe(false)
  })

  test('is listed, and each blob of a repo is counted once', async () => {
    const repository = engine.hub.addRepo('org/name', { files: FILES })
    engine.hub.addRepo('a-first', { files: { 'a.txt': 'a' } })
    const cache = engine.open()
    expect(await cache.list()).toEqual([])
    expect(await cache.statistics()).toMatchObject({
      directory: engine.cacheDir,
      entries: 0,
      size: 0,
      maxSize: 2 ** 31,
    })
    const first = await cache.get('org/name')
    const commit = repository.addCommit({ files: { 'notes/read me.txt': 'another' }, branch: 'dev' })
    await cache.get('org/name@dev')
    await cache.get('a-first')
    const list = await engine.open().list()
    expect(list.map(({ repo }) => repo)).toEqual(['a-first', 'org/name', 'org/name'])
    expect(list.map((entry) => entry.commit)).toEqual(expect.arrayContaining([first.commit, commit]))
    expect(await cache.statistics()).toMatchObject({ entries: 3, size: first.bytes + 'another'.length + 1 })
  })

  test('has a path for each file of the selection, and refuses other paths', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    const model = await engine.open().get(filesOf('org/name', '*.json', 'weights.bin'))
    expect(isAbsolute(model.file('config.json'))).toBe(true)
    expect(dirname(model.file('config.json'))).toBe(model.directory)
    expect(() => model.file('notes/read me.txt')).toThrow(/FILE_NOT_FOUND/)
    expect(() => model.file('../../../cache.json')).toThrow(/UNSAFE_PATH/)
  })
})

describe('a revision', () => {
  test.each([
    ['a branch with a slash', 'feature/new-weights'],
    ['a tag', 'v1.0'],
    ['a pull request', 'refs/pr/1'],
  ])('can be %s', async (_, revision) => {
    const repository = engine.hub.addRepo('org/name', { files: FILES })
    const commit = repository.addCommit({ files: { 'notes/read me.txt': 'other' }, branch: 'work' })
    if (revision === 'v1.0') repository.tag(revision, commit)
    else repository.branch(revision, commit)
    const model = await engine.open().get(`org/name@${revision}`)
    expect(model).toMatchObject({ revision, commit })
    expect(await readFile(model.file('notes/read me.txt'), 'utf8')).toBe('other')
    expect(await readFile(engine.inCache('hub/models--org--name/refs', revision), 'utf8')).toBe(commit)
    engine.hub.clearRequests()
    expect(await engine.open().get({ repo: 'org/name', revision })).toMatchObject({ tier: 'disk', commit })
    expect(engine.hub.requests).toEqual([])
  })

  test('that is a commit is never looked up again', async () => {
    const repository = engine.hub.addRepo('org/name', { files: FILES })
    const { commit } = repository
    repository.addCommit({ files: { 'config.json': '{}' } })
    const model = await engine.open().get(`org/name@${commit}`)
    expect(await contentsOf(model)).toEqual(CONTENTS)
    expect(await engine.listing('hub/models--org--name')).not.toContain(`refs/${commit}`)
    engine.hub.clearRequests()
    expect((await engine.open({ maxAge: 0 }).get(`org/name@${commit}`)).tier).toBe('disk')
    expect(engine.hub.requests).toEqual([])
  })

  test('with a new commit downloads only the files that changed', async () => {
    const repository = engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get('org/name')
    const commit = repository.addCommit({ files: { 'config.json': '{"new":true}' }, branch: 'dev' })
    engine.hub.clearRequests()
    expect(await engine.open().get('org/name@dev')).toMatchObject({ commit, downloadedBytes: 12 })
    expect(engine.filesAsked).toEqual(['config.json'])
  })

  test('is trusted for maxAge, and looked up again after it', async () => {
    const repository = engine.hub.addRepo('org/name', { files: FILES })
    const old = await engine.open().get('org/name')
    const commit = repository.addCommit({ files: { 'config.json': '{"new":true}' } })
    await engine.ageMain('org/name', 6 * DAY_MS)
    engine.hub.clearRequests()
    expect((await engine.open().get('org/name')).commit).toBe(old.commit)
    expect(engine.hub.requests).toEqual([])
    await engine.ageMain('org/name', 8 * DAY_MS)
    const moved = await engine.open().get('org/name')
    expect(moved).toMatchObject({ commit, tier: 'hub' })
    expect(await readFile(moved.file('config.json'), 'utf8')).toBe('{"new":true}')
    expect(await readFile(old.file('config.json'), 'utf8')).toBe(FILES['config.json'])
  })

  test('that did not change is looked up with one request, and then trusted for maxAge again', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get('org/name')
    await engine.ageMain('org/name', 8 * DAY_MS)
    engine.hub.clearRequests()
    expect((await engine.open().get('org/name')).tier).toBe('disk')
    expect((await engine.open().get('org/name')).tier).toBe('disk')
    expect(engine.hub.requests).toHaveLength(1)
  })

  test('that can not be looked up again is served with its old commit and one warning', async () => {
    const repository = engine.hub.addRepo('org/name', { files: FILES })
    const { commit } = await engine.open().get('org/name')
    repository.addCommit({ files: { 'config.json': '{"new":true}' } })
    await engine.ageMain('org/name', 8 * DAY_MS)
    engine.hub.fault({ kind: 'api' }, { status: 503, retryAfter: 0 })
    const cache = engine.open()
    for (let time = 0; time < 2; time++) expect(await cache.get('org/name')).toMatchObject({ commit, tier: 'disk' })
    expect(engine.warnings).toEqual([expect.stringMatching(/^org\/name: .*main.*503/)])
  })

  test('that was deleted at the Hub is refused, although an old commit is cached', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get('org/name')
    await engine.ageMain('org/name', 8 * DAY_MS)
    engine.hub.fault({ kind: 'api' }, { status: 404, headers: { 'X-Error-Code': 'RevisionNotFound' } })
    expect((await refusalOf(engine.open().get('org/name'))).code).toBe('REVISION_NOT_FOUND')
    expect(engine.warnings).toEqual([])
  })
})

describe('a repo', () => {
  test('can have a name without an organization', async () => {
    const { commit } = engine.hub.addRepo('gpt2', { files: FILES })
    const model = await engine.open().get('gpt2')
    expect(model.directory).toBe(engine.inCache('hub/models--gpt2/snapshots', commit))
    expect(await contentsOf(model)).toEqual(CONTENTS)
  })

  test('is found by its former name', async () => {
    const { commit } = engine.hub.addRepo('old/name', { files: FILES })
    engine.hub.renameRepo('old/name', 'new/name')
    const model = await engine.open().get('old/name')
    expect(model).toMatchObject({ repo: 'new/name', commit })
    expect(await contentsOf(model)).toEqual(CONTENTS)
    engine.hub.clearRequests()
    expect((await engine.open().get('old/name')).tier).toBe('disk')
    expect(engine.hub.requests).toEqual([])
  })

  test('that is private is downloaded with the token', async () => {
    engine.hub.addRepo('org/private', { files: FILES, private: true })
    const cache = engine.open({ hub: { endpoint: engine.hub.url, concurrency: 8, token: TOKEN } })
    expect(await contentsOf(await cache.get('org/private'))).toEqual(CONTENTS)
    expect((await cache.list()).map(({ access }) => access)).toEqual(['private'])
    expect(JSON.stringify([await engine.records(), engine.decisions])).not.toContain(TOKEN)
  })
})

describe('the default selection', () => {
  test('has the files of the task that the model card names, and selects the same as this task', async () => {
    await engine.addEmbeddings('org/name', { dtypes: ['fp32', 'q8'] })
    await engine.open().get('org/name')
    engine.hub.clearRequests()
    const model = await engine.open().get({ repo: 'org/name', task: 'feature-extraction' })
    expect(model.tier).toBe('disk')
    expect(pathsOf(model)).toEqual(EMBEDDING)
    expect(engine.hub.requests).toEqual([])
  })

  test('has the weights of one dtype when the model card names no task', async () => {
    const { directory } = await engine.addEmbeddings('org/named', { dtypes: ['fp32', 'q8', 'fp16'] })
    engine.hub.addRepo('org/name', { directory })
    const model = await engine.open().get('org/name')
    expect(pathsOf(model)).toEqual(EMBEDDING)
    expect(engine.filesAsked.sort()).toEqual(EMBEDDING)
  })

  test("with a dtype has the files of the repo's own task in this dtype", async () => {
    await engine.addEmbeddings('org/name', { dtypes: ['fp32', 'q8'] })
    const model = await engine.open().get({ repo: 'org/name', dtype: 'q8' })
    expect(pathsOf(model)).toEqual(EMBEDDING.with(1, 'onnx/model_quantized.onnx'))
  })

  test('has all files of a repo that is not for transformers.js', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    expect(pathsOf(await engine.open().get('org/name'))).toEqual(Object.keys(FILES).sort())
  })

  test('has the files that earlier runs used', async () => {
    await engine.addEmbeddings('org/name', { dtypes: ['fp32', 'q8'] })
    const [quantized, readme] = [{ repo: 'org/name', dtype: 'q8' } as const, filesOf('org/name', 'README.md')]
    const cache = engine.open()
    const used = [useOf(await cache.get(quantized), quantized), useOf(await cache.get(readme), readme)]
    await cache.recordUses(used)
    engine.hub.clearRequests()
    const model = await engine.open().get('org/name')
    expect(pathsOf(model)).toEqual(['README.md', ...EMBEDDING.with(1, 'onnx/model_quantized.onnx')])
    expect(model.tier).toBe('disk')
    expect(engine.hub.requests).toEqual([])
  })

  test('is not narrowed by files that were only downloaded', async () => {
    await engine.addEmbeddings('org/name')
    const cache = engine.open()
    await cache.get(filesOf('org/name', 'config.json'))
    expect(pathsOf(await cache.get('org/name'))).toEqual(EMBEDDING)
    expect(engine.filesAsked.sort()).toEqual(EMBEDDING)
  })

  test('records hits and the last access, and does not count the download as a hit', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    const cache = engine.open()
    const cold = useOf(await cache.get('org/name'), 'org/name')
    await engine.setRecord('org/name', { lastAccessDate: new Date(Date.now() - 3 * DAY_MS).toISOString() })
    const warm = useOf(await cache.get('org/name'), 'org/name')
    await cache.recordUses([cold, warm, warm, { ...warm, repo: 'org/unknown' }])
    const [entry, ...others] = await engine.open().list()
    expect(others).toEqual([])
    expect(entry).toMatchObject({ hits: 2, selections: [{ key: '{}', used: true }] })
    expect(Date.now() - Date.parse(entry?.lastAccessDate ?? '')).toBeLessThan(DAY_MS)
  })
})

describe('an error says what was asked for, why it failed and what to do next, when', () => {
  const open = () => engine.open()

  test('there is no such repo', async () => {
    expect(await refusalOf(open().get('org/nothing'))).toMatchObject({
      code: 'MODEL_NOT_FOUND',
      asked: 'Model org/nothing',
      reason: expect.stringContaining(engine.hub.url),
      nextStep: expect.stringContaining('HF_TOKEN'),
    })
    expect(await engine.listing('hub').catch(() => [])).toEqual([])
  })

  test('there is no such revision', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    expect(await refusalOf(open().get('org/name@v9'))).toMatchObject({
      code: 'REVISION_NOT_FOUND',
      asked: 'Model org/name@v9',
      reason: expect.stringContaining('no such revision'),
      nextStep: expect.stringContaining('@'),
    })
  })

  test('the repo is gated', async () => {
    engine.hub.addRepo('org/gated', { files: FILES, gated: 'auto' })
    expect(await refusalOf(open().get('org/gated'))).toMatchObject({
      code: 'GATED',
      asked: expect.stringMatching(/of org\/gated$/),
      reason: expect.stringContaining('gated'),
      nextStep: expect.stringMatching(/terms.*HF_TOKEN/),
    })
    expect(await engine.listing('hub/models--org--gated/snapshots')).toEqual([])
  })

  test('no file matches', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    for (const _ of ['cold', 'warm']) {
      expect(await refusalOf(open().get(filesOf('org/name', 'config.json', '*.onnx')))).toMatchObject({
        code: 'FILE_NOT_FOUND',
        asked: expect.stringContaining('org/name'),
        reason: expect.stringContaining('"*.onnx"'),
        nextStep: expect.stringContaining('weights.bin'),
      })
      await open().get('org/name')
    }
  })

  test('the repo does not have the dtype', async () => {
    await engine.addEmbeddings('org/name', { dtypes: ['fp32', 'q8'] })
    expect(await refusalOf(open().get({ repo: 'org/name', dtype: 'q4' }))).toMatchObject({
      code: 'FILE_NOT_FOUND',
      reason: expect.stringContaining('onnx/model_q4.onnx'),
      nextStep: expect.stringContaining('fp32, q8'),
    })
  })

  test('the cache is offline and not all files of the model are cached', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    const offline = engine.open({ offline: true })
    const refusal = {
      code: 'OFFLINE',
      asked: expect.stringContaining('org/name'),
      reason: expect.stringContaining('offline'),
      nextStep: expect.stringContaining('npx vitest-model-cache warm org/name'),
    }
    expect(await refusalOf(offline.get('org/name'))).toMatchObject(refusal)
    await open().get(filesOf('org/name', 'config.json'))
    engine.hub.clearRequests()
    expect(await refusalOf(offline.get('org/name'))).toMatchObject(refusal)
    expect(engine.hub.requests).toEqual([])
  })

  test('the cache is offline, the listing is lost, and a named file is not cached', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    await open().get(filesOf('org/name', 'config.json'))
    const [origin = ''] = await readdir(join(engine.cacheDir, 'origins'))
    await rm(join(engine.cacheDir, 'origins', origin, 'models--org--name', 'trees'), { recursive: true })
    const [, other = ''] = Object.keys(FILES)
    const offline = engine.open({ offline: true })
    expect(await refusalOf(offline.get({ repo: 'org/name', files: [other] }))).toMatchObject({ code: 'OFFLINE' })
    expect((await offline.get({ repo: 'org/name', files: ['config.json'] })).tier).toBe('disk')
  })

  test('the name is malformed', async () => {
    expect(await refusalOf(open().get('org/name/more'))).toMatchObject({ code: 'INVALID_MODEL' })
    expect(await refusalOf(open().get({ repo: '../../etc' }))).toMatchObject({ code: 'INVALID_MODEL' })
    expect(engine.hub.requests).toEqual([])
  })

  test('the folder has the format of a later version', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    await mkdir(engine.cacheDir)
    await writeFile(engine.inCache('cache.json'), '{"format":2}')
    expect(await refusalOf(open().get('org/name'))).toMatchObject({ code: 'CACHE_FORMAT' })
    expect(await engine.listing()).toEqual(['cache.json'])
  })
})

describe('warm', () => {
  test('returns the cached model or the error of each model', async () => {
    engine.hub.addRepo('org/one', { files: FILES })
    engine.hub.addRepo('org/two', { files: FILES })
    const results = await engine.open().warm(['org/one', 'org/nothing', filesOf('org/two', '*.json')])
    expect(results.map(({ model }) => model.repo)).toEqual(['org/one', 'org/nothing', 'org/two'])
    expect(results).toMatchObject([
      { cached: { tier: 'hub' } },
      { error: { code: 'MODEL_NOT_FOUND' } },
      { cached: { bytes: FILES['config.json'].length } },
    ])
  })

  test('pins models with `pin: true`, also those that were cached already', async () => {
    engine.hub.addRepo('org/one', { files: FILES })
    engine.hub.addRepo('org/two', { files: FILES })
    await engine.open().get('org/one')
    await engine.open().warm([
      { repo: 'org/one', pin: true },
      { repo: 'org/two', pin: true },
    ])
    expect((await engine.open().list()).map(({ pinned }) => pinned)).toEqual([true, true])
  })
})

describe('a worker with the manifest', () => {
  /** Warms the models with one cache, and opens another one with the manifest after it was sent as JSON. */
  async function openWorker(...models: Parameters<ModelCache['warm']>[0]): Promise<ModelCache> {
    const main = engine.open()
    const manifest = JSON.parse(JSON.stringify(await main.manifest(await main.warm(models))))
    return engine.open({ manifest, onDebug: undefined })
  }

  test('serves hits without metadata, refs and requests', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    const worker = await openWorker('org/name', filesOf('org/name', '*.json'))
    await rm(engine.inCache('cache_metadata.json'))
    await rm(engine.inCache('hub/models--org--name/refs'), { recursive: true })
    await rm(engine.inCache('origins'), { recursive: true })
    engine.hub.clearRequests()
    const model = await worker.get('org/name')
    expect(model).toMatchObject({ tier: 'disk', warmedInThisRun: true, downloadMs: null })
    expect(model.recordedDownloadMs).toBeGreaterThan(0)
    expect(await contentsOf(model)).toEqual(CONTENTS)
    expect(pathsOf(await worker.get(filesOf('org/name', '*.json')))).toEqual(['config.json'])
    expect(await worker.has('org/name')).toBe(true)
    expect(engine.hub.requests).toEqual([])
  })

  test('knows which models were cached before the run', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get('org/name')
    expect((await (await openWorker('org/name')).get('org/name')).warmedInThisRun).toBe(false)
  })

  test('repairs a file that has changed since', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    const worker = await openWorker('org/name')
    const blob = engine.inCache('hub/models--org--name/blobs', sha256(WEIGHTS))
    await rm(blob)
    await writeFile(blob, 'damaged')
    engine.hub.clearRequests()
    expect(await worker.has('org/name')).toBe(false)
    expect(await contentsOf(await worker.get('org/name'))).toEqual(CONTENTS)
    expect(engine.filesAsked).toEqual(['weights.bin'])
  })

  test('serves another selection of a warmed model', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    const worker = await openWorker('org/name')
    engine.hub.clearRequests()
    const model = await worker.get(filesOf('org/name', '*.bin'))
    expect(model).toMatchObject({ tier: 'disk', warmedInThisRun: true })
    expect(engine.hub.requests).toEqual([])
  })

  test('throws the failure of a repo for every selection that is not cached', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    await engine.open().get(filesOf('org/name', 'config.json'))
    const mend = engine.hub.fault({ file: /weights|notes/ }, { status: 503, retryAfter: 0 })
    const worker = await openWorker('org/name', 'org/nothing')
    mend()
    engine.hub.clearRequests()
    expect(await refusalOf(worker.get('org/name'))).toMatchObject({
      code: 'HUB_ERROR',
      asked: expect.stringContaining('of org/name'),
    })
    expect(await refusalOf(worker.get(filesOf('org/nothing', '*')))).toMatchObject({ code: 'MODEL_NOT_FOUND' })
    expect((await worker.get(filesOf('org/name', 'config.json'))).tier).toBe('disk')
    expect(engine.hub.requests).toEqual([])
    // The failure of one file does not apply to other files.
    expect((await worker.get(filesOf('org/name', 'notes/*'))).tier).toBe('hub')
  })

  test('throws the failure of a selection for this selection only', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    const wrong = filesOf('org/name', '*.onnx')
    const worker = await openWorker(wrong)
    expect(await refusalOf(worker.get(wrong))).toMatchObject({ code: 'FILE_NOT_FOUND' })
    expect((await worker.get('org/name')).tier).toBe('hub')
  })
})

describe('openModelCache', () => {
  beforeEach(() => {
    for (const name of ['MODEL_CACHE_DIR', 'MODEL_CACHE_OFFLINE', 'HF_HUB_OFFLINE', 'HF_ENDPOINT']) vi.stubEnv(name, '')
    onTestFinished(() => void vi.unstubAllEnvs())
  })

  test('needs no options, and then uses the cache folder of the platform', () => {
    expect(basename(openModelCache().context.layout.directory)).toBe('vitest-model-cache')
    expect(openModelCache({})).toBeInstanceOf(ModelCache)
    vi.stubEnv('MODEL_CACHE_DIR', engine.cacheDir)
    expect(openModelCache({}).context.layout.directory).toBe(engine.cacheDir)
  })

  test('uses the folder and the Hub that it is given', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    const cache = openModelCache({ cacheDir: engine.cacheDir, hub: { endpoint: `${engine.hub.url}/` } })
    expect(await contentsOf(await cache.get('org/name'))).toEqual(CONTENTS)
    expect((await engine.open().get('org/name')).tier).toBe('disk')
  })

  test('refuses unknown and malformed options', async () => {
    const misspelt = { cacheDir: engine.cacheDir, cachedir: 'elsewhere' }
    const open = async (options: object) => openModelCache(options)
    expect(await refusalOf(open(misspelt))).toMatchObject({
      code: 'INVALID_OPTION',
      asked: expect.stringContaining('`cachedir`'),
      nextStep: expect.stringContaining('`cacheDir`'),
    })
    expect(await refusalOf(open({ maxSize: 'much' }))).toMatchObject({ code: 'INVALID_OPTION' })
    expect(await refusalOf(open({ hub: { endpoint: 'ftp://hub' } }))).toMatchObject({ code: 'INVALID_OPTION' })
  })
})
