import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { contentsOf, Engine, filesOf, gitSha1, pathsOf, refusalOf, sha256 } from '../support/engine.ts'
import type { BodyFault, Fault } from '../support/hub/index.ts'

const WEIGHTS = Buffer.alloc(50_000, 'weights')
const FILES = { 'config.json': '{"model_type":"custom"}', 'note.txt': 'a note', 'weights.bin': WEIGHTS }
const CONTENTS = { ...FILES, 'weights.bin': WEIGHTS.toString('latin1') }
const REPO = 'hub/models--org--name'

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
})

/** The blob of `weights.bin`. */
function weightsBlob(): string {
  return engine.inCache(REPO, 'blobs', sha256(WEIGHTS))
}

/** Changes a blob in place, as a failing disk or a careless script does. */
async function damage(blob: string, how: (path: string) => Promise<void>): Promise<void> {
  await chmod(blob, 0o644)
  await how(blob)
  await chmod(blob, 0o444)
}

/** Writes the marker file of a cache folder. */
async function writeMarker(): Promise<void> {
  await writeFile(engine.inCache('cache.json'), '{"format":1}')
}

async function flip(path: string): Promise<void> {
  const bytes = await readFile(path)
  bytes[12_345] = 255 - (bytes[12_345] ?? 0)
  await writeFile(path, bytes)
}

async function cold(): Promise<void> {
  engine.hub.addRepo('org/name', { files: FILES })
  await engine.open().get('org/name')
  engine.hub.clearRequests()
}

describe('a file in the cache', () => {
  test.each([
    ['truncated', (path: string) => truncate(path, 1000)],
    ['changed in one byte', flip],
    ['emptied', (path: string) => truncate(path, 0)],
  ])('that was %s is downloaded again once, with one warning', async (_, how) => {
    await cold()
    await damage(weightsBlob(), how)
    const cache = engine.open()
    expect(await cache.has('org/name')).toBe(false)
    const model = await cache.get('org/name')
    expect(model).toMatchObject({ tier: 'hub', downloadedBytes: WEIGHTS.length })
    expect(await contentsOf(model)).toEqual(CONTENTS)
    expect(engine.hub.requests.map(({ file }) => file)).toEqual(['weights.bin', 'weights.bin'])
    expect(engine.filesAsked).toEqual(['weights.bin'])
    expect(engine.warnings).toEqual([expect.stringMatching(/^weights\.bin of org\/name .*replaced/)])
    expect((await stat(weightsBlob())).mode & 0o777).toBe(0o444)
    expect((await engine.open().get('org/name')).tier).toBe('disk')
    expect(engine.filesAsked).toHaveLength(1)
  })

  test('that is gone is downloaded again, and the other files are not', async () => {
    await cold()
    await rm(weightsBlob())
    expect(await contentsOf(await engine.open().get('org/name'))).toEqual(CONTENTS)
    expect(engine.filesAsked).toEqual(['weights.bin'])
  })

  test('whose link is gone is linked again without a download', async () => {
    await cold()
    const model = await engine.open().get('org/name')
    await rm(model.file('weights.bin'))
    expect(await contentsOf(await engine.open().get('org/name'))).toEqual(CONTENTS)
    expect(engine.hub.requests).toEqual([])
  })

  test('whose time has changed is verified once, without a request', async () => {
    await cold()
    await utimes(weightsBlob(), 1_700_000_000, 1_700_000_000)
    const verified = () => engine.decisions.filter((line) => line.startsWith('Validation: weights.bin')).length
    const model = await engine.open().get('org/name')
    expect(model).toMatchObject({ tier: 'disk', downloadMs: null })
    expect(verified()).toBe(1)
    const [record] = await engine.records()
    expect(record?.files).toMatchObject({ 'weights.bin': { mtimeMs: 1_700_000_000_000 } })
    expect((await engine.open().get('org/name')).tier).toBe('disk')
    expect(verified()).toBe(1)
    expect(engine.hub.requests).toEqual([])
    expect(engine.warnings).toEqual([])
  })

  test('whose inode has changed is verified, also offline', async () => {
    await cold()
    const bytes = await readFile(weightsBlob())
    await rm(weightsBlob())
    await writeFile(weightsBlob(), bytes)
    const model = await engine.open({ offline: true }).get('org/name')
    expect(await contentsOf(model)).toEqual(CONTENTS)
    expect(engine.hub.requests).toEqual([])
  })

  test('that is damaged is refused offline', async () => {
    await cold()
    await damage(weightsBlob(), flip)
    expect(await refusalOf(engine.open({ offline: true }).get('org/name'))).toMatchObject({
      code: 'OFFLINE',
      asked: 'File weights.bin of org/name',
    })
  })

  test.each([
    ['gone', (path: string) => rm(path)],
    ['truncated', (path: string) => truncate(path, 3)],
    ['replaced by other JSON', (path: string) => writeFile(path, '{"transformers.js_config":{"dtype":"q4"}}')],
  ])('on which the choice of files depends is repaired first when it is %s', async (_, how) => {
    const { directory } = await engine.addEmbeddings('org/name', { dtypes: ['fp32', 'q8'] })
    await engine.open().get('org/name')
    const config = await readFile(`${directory}/config.json`)
    const blob = engine.inCache(REPO, 'blobs', gitSha1(config))
    await chmod(blob, 0o644)
    await how(blob)
    const model = await engine.open().get({ repo: 'org/name', task: 'fill-mask' })
    expect(pathsOf(model)).toEqual(['config.json', 'onnx/model.onnx', 'tokenizer.json', 'tokenizer_config.json'])
    expect(await readFile(model.file('config.json'))).toEqual(config)
  })
})

describe('damaged bookkeeping', () => {
  test.each([
    ['no JSON', '[{"repo": "org/na'],
    ['no list', '{}'],
    ['a list of invalid records', '[1, null, {"repo": "org/name"}]'],
  ])('causes no download when the metadata is %s', async (_, text) => {
    await cold()
    await writeFile(engine.inCache('cache_metadata.json'), text)
    const model = await engine.open().get('org/name')
    expect(model).toMatchObject({ tier: 'disk', downloadMs: null })
    expect(await contentsOf(model)).toEqual(CONTENTS)
    expect(engine.hub.requests).toEqual([])
    expect(await engine.open().list()).toHaveLength(1)
  })

  test.each([
    ['a ref', 'refs/main'],
    ['a stored listing', 'trees/'],
  ])('makes the cache ask the Hub again when it is %s', async (_, name) => {
    await cold()
    const answers = engine.inOrigin('models--org--name')
    const [path] = (await engine.listing(answers)).filter((file) => file.startsWith(name))
    await writeFile(engine.inCache(answers, path ?? ''), '<html>')
    await rm(engine.inCache('cache_metadata.json'))
    expect(await contentsOf(await engine.open().get('org/name'))).toEqual(CONTENTS)
    expect(engine.filesAsked).toEqual([])
    expect(engine.hub.requests.length).toBeGreaterThan(0)
  })
})

describe('a download', () => {
  const once = { times: 1 }

  test.each<[string, BodyFault | Fault]>([
    ['changed in one byte', { flipByte: 40_000 }],
    ['shorter than stated', { shortBody: 10_000 }],
    ['truncated', { truncate: 10_000 }],
    ['reset', { reset: 10_000 }],
    ['a web page', { html: true }],
    ['a server error', { status: 500 }],
    ['too many requests', { status: 429, retryAfter: 0 }],
    ['no connection', 'refused'],
  ])('is tried again after the fault: %s', async (_, fault) => {
    engine.hub.addRepo('org/name', { files: FILES })
    engine.hub.fault({ origin: 'cdn' }, fault, once)
    const seen: number[] = []
    const model = await engine.open().get('org/name', { onProgress: ({ receivedBytes }) => seen.push(receivedBytes) })
    expect(await contentsOf(model)).toEqual(CONTENTS)
    // Bytes that had to be dropped count as downloaded too.
    expect(model.downloadedBytes).toBeGreaterThanOrEqual(model.bytes)
    expect(engine.filesAsked.filter((file) => file === 'weights.bin')).toHaveLength(2)
    expect(seen.at(-1)).toBe(model.bytes)
    expect(await engine.listing('incoming')).toEqual([])
    expect(engine.warnings).toEqual([])
  })

  test.each([
    ['the model', /\/revision\//],
    ['the listing', /\/tree\//],
  ])('asks for %s again when the answer was a web page', async (_, path) => {
    engine.hub.addRepo('org/name', { files: FILES })
    engine.hub.fault({ kind: 'api', path }, { html: true }, once)
    expect(await contentsOf(await engine.open().get('org/name'))).toEqual(CONTENTS)
  })

  test.each([
    ['the ref', 'refs'],
    ['the blobs', 'blobs'],
    ['the snapshots', 'snapshots'],
  ])('fails without another try when %s can not be written', async (_, folder) => {
    engine.hub.addRepo('org/name', { files: FILES })
    await mkdir(engine.inCache(REPO), { recursive: true })
    await writeMarker()
    await writeFile(engine.inCache(REPO, folder), 'a file')
    expect(await refusalOf(engine.open().get('org/name'))).toMatchObject({ code: 'CACHE_UNUSABLE' })
    expect(engine.filesAsked.length).toBe(new Set(engine.filesAsked).size)
  })

  test.each(['incoming', 'hub', 'cache_metadata.json/a folder'])('fails when %s has the wrong type', async (path) => {
    engine.hub.addRepo('org/name', { files: FILES })
    const isFolder = path.includes('/')
    await mkdir(engine.inCache(isFolder ? path : ''), { recursive: true })
    await writeMarker()
    if (!isFolder) await writeFile(engine.inCache(path), 'a file')
    const refusal = await refusalOf(engine.open().get('org/name'))
    expect(refusal).toMatchObject({ code: 'CACHE_UNUSABLE' })
    for (const part of [refusal.asked, refusal.reason, refusal.nextStep]) expect(part).not.toBe('')
  })

  test('fails when the cache folder is a file', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    await writeFile(engine.cacheDir, 'a file')
    expect(await refusalOf(engine.open().get('org/name'))).toMatchObject({
      code: 'CACHE_UNUSABLE',
      asked: `Cache folder ${engine.cacheDir}`,
      nextStep: expect.stringContaining('MODEL_CACHE_DIR'),
    })
    expect(engine.hub.requests).toEqual([])
  })
})

// Each test waits for five tries, so the tests run concurrently.
describe.concurrent('a download that always fails', () => {
  test.for<[string, Fault, string, number]>([
    ['changed', { flipByte: 40_000 }, 'DIGEST_MISMATCH', 2],
    ['short', { shortBody: 10_000 }, 'BROKEN_DOWNLOAD', 5],
    ['a web page', { html: true }, 'BROKEN_DOWNLOAD', 5],
    ['refused', 'refused', 'HUB_UNREACHABLE', 5],
  ])(
    'because the answer is %s throws an error, and no bytes are kept',
    async ([, fault, code, tries], { onTestFinished, expect }) => {
      const own = await Engine.start(onTestFinished)
      own.hub.addRepo('org/name', { files: { 'weights.bin': WEIGHTS } })
      const mend = own.hub.fault({ origin: 'cdn' }, fault)
      const refusal = await refusalOf(own.open().get('org/name'))
      expect(refusal).toMatchObject({
        code,
        asked: 'File weights.bin of org/name',
        nextStep: expect.stringContaining('HF_ENDPOINT'),
      })
      expect(own.filesAsked).toHaveLength(tries)
      expect((await own.listing('hub')).filter((path) => !/\/(refs|trees)\//.test(path))).toEqual([])
      expect(await own.listing('incoming')).toEqual([])
      expect(await own.open().list()).toEqual([])
      mend()
      expect(await contentsOf(await own.open().get('org/name'))).toEqual({ 'weights.bin': CONTENTS['weights.bin'] })
    },
  )

  test('because the Hub is down throws an error, unless a commit is cached', async ({ onTestFinished, expect }) => {
    const own = await Engine.start(onTestFinished)
    const { commit } = own.hub.addRepo('org/name', { files: FILES })
    await own.open().get('org/name')
    await own.ageMain('org/name', Date.now() - 1_700_000_000_000)
    await own.hub.stopListening()
    const [stale, unknown] = await Promise.all([own.open().get('org/name'), refusalOf(own.open().get('org/other'))])
    expect(stale).toMatchObject({ commit, tier: 'disk' })
    expect(own.warnings).toEqual([expect.stringMatching(/^org\/name: .*main/)])
    expect(unknown).toMatchObject({
      code: 'HUB_UNREACHABLE',
      asked: 'Model org/other',
      reason: expect.stringMatching(/ECONNREFUSED/),
      nextStep: expect.stringContaining('network'),
    })
  })
})

describe('an aborted download', () => {
  const SMALL = ['config.json', 'tokenizer.json', 'tokenizer_config.json']

  /** Aborts the download of a model when all its small files are linked and a part of its weights has arrived. */
  async function interrupt(): Promise<void> {
    const { repository } = await engine.addEmbeddings('org/name', { dtypes: ['fp32', 'q8', 'fp16'] })
    const snapshot = engine.inCache(REPO, 'snapshots', repository.commit)
    const mend = engine.hub.fault({ origin: 'cdn', file: 'onnx/model.onnx' }, { bytesPerSecond: 2000 })
    const stop = new AbortController()
    const getting = engine.open().get('org/name', {
      signal: stop.signal,
      // Once the small files are linked, only bytes of the weights can be reported.
      onProgress: () => {
        if (SMALL.every((file) => existsSync(join(snapshot, file)))) stop.abort(new Error('The run was ended'))
      },
    })
    await expect(getting).rejects.toThrow('The run was ended')
    await engine.hub.idle()
    mend()
    engine.hub.clearRequests()
  }

  test('leaves no incomplete file', async () => {
    await interrupt()
    expect(await engine.listing('incoming')).toEqual([])
    expect((await engine.listing(REPO)).filter((path) => path.endsWith('.onnx'))).toEqual([])
    expect(await engine.open().has('org/name')).toBe(false)
  })

  test.each(['kept', 'lost'])('is continued with the missing files when the metadata is %s', async (metadata) => {
    await interrupt()
    if (metadata === 'kept') {
      expect((await engine.open().list()).flatMap(({ files }) => [...files.keys()]).sort()).toEqual(SMALL)
    } else await rm(engine.inCache('cache_metadata.json'))
    const model = await engine.open().get('org/name')
    expect(pathsOf(model)).toEqual([...SMALL, 'onnx/model.onnx'].sort())
    expect(engine.filesAsked).toEqual(['onnx/model.onnx'])
  })

  test('sends no request when it was aborted before it began', async () => {
    engine.hub.addRepo('org/name', { files: FILES })
    const signal = AbortSignal.abort(new Error('The run was ended'))
    await expect(engine.open().get('org/name', { signal })).rejects.toThrow('The run was ended')
    expect(engine.hub.requests).toEqual([])
    await engine.open().get(filesOf('org/name', 'config.json'))
    engine.hub.clearRequests()
    await expect(engine.open().get('org/name', { signal })).rejects.toThrow('The run was ended')
    expect(engine.hub.requests).toEqual([])
  })
})

test('with a record of a newer version, the files are verified once and not in each run', async () => {
  await cold()
  const newer = { version: '9.0', files: ['in', 'another', 'form'] }
  await engine.setRecord('org/name', newer)
  const verified = () => engine.decisions.filter((decision) => decision.startsWith('Validation:')).length
  expect((await engine.open().get('org/name')).tier).toBe('disk')
  const once = verified()
  expect(once).toBe(Object.keys(FILES).length)
  for (let runs = 0; runs < 2; runs++) expect((await engine.open().get('org/name')).tier).toBe('disk')
  expect(verified()).toBe(once)
  expect(engine.hub.requests).toEqual([])
  expect(await engine.records()).toMatchObject([{ version: '1.0' }, newer])
})

describe('a repo with file names that no disk can have is refused', () => {
  test.each([
    ['half a surrogate pair', ['a\ud800.txt', 'a\ud801.txt'], /could lead out of the cache folder or can't exist/],
    ['a file where a folder is needed', ['a', 'a/b'], /also lists a file "a", where a folder is needed/],
  ])('%s', async (_, names, reason) => {
    engine.hub.addRepo('org/odd', { files: { plain: '' } })
    const listing = names.map((path) => ({ type: 'file', path, size: path.length, oid: gitSha1(path) }))
    const headers = { 'Content-Type': 'application/json' }
    engine.hub.fault({ path: /\/tree\// }, { status: 200, headers, body: JSON.stringify(listing) })
    const error = await refusalOf(engine.open().get(filesOf('org/odd', '**')))
    expect(error).toMatchObject({ code: 'UNSAFE_PATH', reason: expect.stringMatching(reason) })
    expect(engine.filesAsked).toEqual([])
    const named = { repo: parseRepoId('org/odd'), revision: 'main' }
    expect(await refusalOf(engine.open().file(named, 'x\udfff'))).toMatchObject({ code: 'UNSAFE_PATH' })
  })
})
