import { readFileSync } from 'node:fs'
import { appendFile, chmod, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { CacheOptions, ModelCache, PushedModel } from '../../src/cache/index.ts'
import { defineRemote } from '../../src/index.ts'
import { printLockFile } from '../../src/model/lock-file.ts'
import { toModel } from '../../src/model/model.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { isCommit } from '../../src/model/revision.ts'
import { blobKey, bundleKey, listingKey, type RemoteModel, refKey, signatureKey } from '../../src/remote/keys.ts'
import { parseListing, printListing } from '../../src/remote/listing.ts'
import { parseRef } from '../../src/remote/refs.ts'
import { SigningKey } from '../../src/remote/signature.ts'
import { unpackBundle } from '../../src/remote/small-bundle.ts'
import { RemoteError } from '../../src/remote/store.ts'
import { Engine, filesOf, gitSha1, refusalOf, sha256 } from '../support/engine.ts'
import type { Repository } from '../support/hub/index.ts'
import { MemoryRemote } from '../support/memory-remote.ts'
import { removeFolder } from '../support/remove-folder.ts'

const WEIGHTS = 'w'.repeat(300_000)
const FILES = { 'config.json': '{"version":1}', 'a.bin': 'aaaa', 'copy.bin': 'aaaa', 'weights.bin': WEIGHTS }
const KEY = 'k'.repeat(40)
const TOKEN = 'hf_a_token_of_a_test'

let engine: Engine
let repository: Repository

beforeEach(async () => {
  engine = await Engine.start(onTestFinished, { token: TOKEN })
  repository = engine.hub.addRepo('org/name', { files: FILES })
  await mkdir(shareFolder())
})

const settings = { timeoutMs: 60_000, uploadPrivate: false }
const shareFolder = () => join(engine.folder, 'share')

/** Opens a cache whose remote is a folder. */
function open({ key, ...options }: Partial<CacheOptions> & { key?: string } = {}): ModelCache {
  return engine.open({
    remote: { url: pathToFileURL(shareFolder()).href, ...settings },
    ...withKey(key),
    ...options,
  })
}

/** Opens a cache whose remote is this one. */
function openWith(store: MemoryRemote, options: Partial<CacheOptions> & { key?: string } = {}): ModelCache {
  return open({ remote: { store: defineRemote(store), ...settings }, ...options })
}

const withKey = (key?: string) => ({
  env: { HF_HOME: join(engine.folder, 'no login'), ...(key !== undefined && { MODEL_CACHE_REMOTE_KEY: key }) },
})

function modelAt(commit = repository.commit): RemoteModel {
  if (!isCommit(commit)) throw new Error(commit)
  return { endpoint: engine.hub.url, repo: parseRepoId('org/name'), commit }
}

const inShare = (key: string) => readFileSync(join(shareFolder(), key))

async function shared(): Promise<string[]> {
  const entries = await readdir(shareFolder(), { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(shareFolder().length + 1))
    .sort()
}

const outcomes = (pushed: PushedModel[]) => pushed.map(({ repo, outcome, reason }) => [repo, outcome, reason])
const small = ['a.bin', 'config.json']

describe('push', () => {
  test('writes the files, the small ones as one object, and what the endpoint stated, signed', async () => {
    await open().get('org/name')
    engine.hub.clearRequests()
    const progress: number[] = []
    const pushed = await open({ key: KEY }).push(undefined, { onProgress: ({ bytes }) => progress.push(bytes) })
    const bytes = WEIGHTS.length + 4 + FILES['config.json'].length
    expect(pushed).toEqual([
      expect.objectContaining({
        repo: 'org/name',
        commit: repository.commit,
        files: 3,
        bytes,
        presentBytes: 0,
        outcome: 'shared',
      }),
    ])
    expect(pushed[0]?.sentBytes).toBeGreaterThan(bytes)
    expect(progress.at(-1)).toBe(bytes)
    const key = new SigningKey(KEY)
    const model = modelAt()
    expect(await shared()).toEqual(
      [
        blobKey(`sha256:${sha256(WEIGHTS)}`),
        ...[bundleKey(model), listingKey(model), signatureKey(model, key.id)],
        refKey({ ...model, revision: 'main' }, key.id),
      ].sort(),
    )
    expect(inShare(blobKey(`sha256:${sha256(WEIGHTS)}`)).toString()).toBe(WEIGHTS)
    const bundle = unpackBundle(inShare(bundleKey(model)))
    expect([...bundle.values()].map((content) => Buffer.from(content).toString()).sort()).toEqual(
      ['aaaa', FILES['config.json']].sort(),
    )
    const listing = inShare(listingKey(model))
    expect(parseListing(listing)).toMatchObject({ ...model, access: 'public' })
    expect([...parseListing(listing).files.keys()].sort()).toEqual(Object.keys(FILES).sort())
    expect(key.isSigned('listing', listing, inShare(signatureKey(model, key.id)).toString().trim())).toBe(true)
    const ref = parseRef(inShare(refKey({ ...model, revision: 'main' }, key.id)), key)
    expect(ref).toMatchObject({ commit: repository.commit, revision: 'main' })
    expect(Math.abs(Date.now() - ref.atMs)).toBeLessThan(60_000)
    // The Hub is not asked, and a second push sends nothing.
    expect(engine.hub.requests).toEqual([])
    expect(await open({ key: KEY }).push()).toMatchObject([{ sentBytes: 0, presentBytes: bytes, outcome: 'shared' }])
  })

  test('without a signing key writes no signature and no ref; a dry run writes nothing', async () => {
    await open().get('org/name')
    expect(await open({ key: KEY }).push(['org/name'], { dryRun: true })).toMatchObject([
      { outcome: 'shared', presentBytes: 0 },
    ])
    expect(await shared()).toEqual([])
    await open().push(['org/name'])
    expect((await shared()).filter((key) => /\.sig$|^refs/.test(key))).toEqual([])
    const dry = await open().push(['org/name'], { dryRun: true })
    expect(dry).toMatchObject([{ sentBytes: 0, outcome: 'shared' }])
    expect((await refusalOf(open().push(['org/other']))).code).toBe('MODEL_NOT_FOUND')
    expect((await refusalOf(open({ key: 'short' }).push())).code).toBe('INVALID_OPTION')
  })

  test('sends of a second selection only what is missing', async () => {
    await open().get(filesOf('org/name', 'config.json'))
    await open().push()
    await open().get('org/name')
    const [pushed] = await open().push()
    expect(pushed).toMatchObject({
      outcome: 'shared',
      presentBytes: FILES['config.json'].length,
      sentBytes: WEIGHTS.length + 4,
    })
    expect((await shared()).filter((key) => key.startsWith('blobs'))).toHaveLength(2)
  })

  test('two machines at once: both succeed, and all is there once', async () => {
    await open().get('org/name')
    const pushes = await Promise.all([1, 2, 3].map(() => open({ key: KEY }).push()))
    for (const pushed of pushes) expect(outcomes(pushed)).toEqual([['org/name', 'shared', undefined]])
    expect(await shared()).toHaveLength(5)
  })

  test('a ref is replaced by a newer one only', async () => {
    const key = new SigningKey(KEY)
    const at = refKey({ ...modelAt(), revision: 'main' }, key.id)
    await open().get('org/name')
    await open({ key: KEY }).push()
    const first = parseRef(inShare(at), key)
    // Another machine asked the Hub a day before.
    await engine.ageMain('org/name', 86_400_000)
    await open({ key: KEY }).push()
    expect(parseRef(inShare(at), key)).toEqual(first)
    // What is there is no valid ref.
    await chmod(join(shareFolder(), at), 0o600)
    await writeFile(join(shareFolder(), at), '{"commit":"x"}')
    await open({ key: KEY }).push()
    expect(parseRef(inShare(at), key).atMs).toBeLessThan(first.atMs)
    await engine.ageMain('org/name', 0)
    await open({ key: KEY }).push()
    expect(parseRef(inShare(at), key).atMs).toBeGreaterThan(first.atMs - 60_000)
  })
})

describe('what must not be shared is skipped, and the result says why', () => {
  test('models that are not public, unless `uploadPrivate` is set', async () => {
    engine.hub.addRepo('org/private', { files: FILES, private: true })
    engine.hub.addRepo('org/gated', { files: FILES, gated: 'auto' })
    const hub = { endpoint: engine.hub.url, concurrency: 8, token: TOKEN }
    await open({ hub }).get('org/private')
    await open({ hub }).get('org/gated')
    expect(outcomes(await open().push())).toEqual([
      ['org/gated', 'skipped', 'It is gated, and `uploadPrivate` is not set.'],
      ['org/private', 'skipped', 'It is private, and `uploadPrivate` is not set.'],
    ])
    expect(await shared()).toEqual([])
    const remote = { url: pathToFileURL(shareFolder()).href, ...settings, uploadPrivate: true }
    expect((await open({ remote }).push()).map(({ outcome }) => outcome)).toEqual(['shared', 'shared'])
  })

  test('models whose Hub is not known, unless a lock file states their files; then nothing is said about them', async () => {
    await open().get('org/name')
    const locked = await open().state(toModel('org/name'))
    await rm(engine.inCache('cache_metadata.json'))
    await rm(engine.inCache('origins'), { recursive: true })
    const why = 'It is not known which Hub stated its files.'
    expect(outcomes(await open({ key: KEY }).push())).toEqual([['org/name', 'skipped', why]])
    const lockfile = join(engine.folder, 'models.lock.json')
    await writeFile(lockfile, printLockFile({ models: [locked] }))
    expect(outcomes(await open({ key: KEY, lockfile }).push())).toEqual([['org/name', 'shared', undefined]])
    expect(await shared()).toEqual([blobKey(`sha256:${sha256(WEIGHTS)}`), bundleKey(modelAt())])
  })

  test('a folder into which others can write proves nothing', async () => {
    await open().get('org/name')
    await chmod(engine.inCache('hub'), 0o777)
    for (const validate of ['stat', 'none'] as const) {
      const [pushed] = await open({ validate }).push()
      expect(pushed).toMatchObject({
        outcome: 'skipped',
        reason: expect.stringContaining('can be written by every user'),
      })
    }
  })

  test.each<[string, (weights: string) => Promise<void>]>([
    ['changed', async (file) => writeFile(file, `x${WEIGHTS.slice(1)}`)],
    ['too short', async (file) => truncate(file, 5)],
    ['too long', async (file) => appendFile(file, 'x')],
    ['gone', async (file) => rm(file)],
  ])('a file that is %s never reaches the remote', async (_, damage) => {
    const model = await open().get('org/name')
    for (const path of ['weights.bin', 'config.json']) {
      const store = new MemoryRemote()
      const file = model.file(path)
      const content = await readFile(file)
      await chmod(file, 0o600)
      await damage(file)
      const [pushed] = await openWith(store, { key: KEY }).push()
      expect(pushed).toMatchObject({
        outcome: 'failed',
        reason: expect.stringMatching(/verify --repair|can't be read/),
      })
      const right = [WEIGHTS, 'aaaa', FILES['config.json']].map((text) => sha256(text))
      for (const [key, object] of store.objects) if (key.startsWith('blobs')) expect(right).toContain(sha256(object))
      // Nothing is said about a model that is not complete.
      expect(store.keys.filter((key) => /listing|refs/.test(key))).toEqual([])
      await writeFile(
        engine.inCache(
          'hub/models--org--name/blobs',
          path === 'weights.bin' ? sha256(WEIGHTS) : gitSha1(FILES['config.json']),
        ),
        content,
      )
    }
  })
})

describe('a process that may not write', () => {
  test('sends nothing, and the error says why', async () => {
    await open().get('org/name')
    const refusals: [Partial<CacheOptions>, string][] = [
      [{ remote: { url: 'http://127.0.0.1:1/', ...settings } }, 'No credentials are set'],
      [{ env: { GITHUB_ACTIONS: 'true', GITHUB_EVENT_NAME: 'pull_request' } }, 'This run has code of a fork'],
      [{ remote: { url: pathToFileURL(shareFolder()).href, ...settings, mode: 'read' } }, 'has the mode `read`'],
    ]
    for (const [options, reason] of refusals) {
      const refusal = await refusalOf(open(options).push())
      expect(refusal).toMatchObject({ code: 'REMOTE_UNUSABLE', reason: expect.stringContaining(reason) })
    }
    expect(await refusalOf(open({ remote: undefined }).push())).toMatchObject({ code: 'INVALID_OPTION' })
    expect(await shared()).toEqual([])
  })
})

describe('a remote that fails', () => {
  const failing = (failure: ConstructorParameters<typeof RemoteError>[0], options = {}) =>
    Object.assign(new MemoryRemote(), {
      put: async () => {
        throw new RemoteError(failure, `memory: ${failure}`, options)
      },
    })

  beforeEach(async () => {
    engine.hub.addRepo('org/second', { files: { 'b.bin': 'b' } })
    await engine.open().get('org/name')
    await engine.open().get('org/second')
  })

  test.each(['full', 'misused'] as const)('because it is %s ends the push, and says what is left', async (failure) => {
    expect(outcomes(await openWith(failing(failure)).push())).toEqual([
      ['org/name', 'left', `memory: ${failure}.`],
      ['org/second', 'left', `memory: ${failure}.`],
    ])
  })

  test('because it refuses to be written is only read from then on, with one warning', async () => {
    const store = failing('denied')
    const cache = openWith(store)
    expect((await cache.push()).map(({ outcome }) => outcome)).toEqual(['left', 'left'])
    expect(engine.warnings).toEqual(['memory: denied. This process only reads from the remote now.'])
    store.calls.length = 0
    expect((await refusalOf(cache.push())).code).toBe('REMOTE_UNUSABLE')
    expect(store.calls).toEqual([])
  })

  test('for a moment is asked again', async () => {
    const store = new MemoryRemote()
    let failures = 0
    const put = store.put.bind(store)
    store.put = async (...args) => {
      if (++failures <= 2) throw new RemoteError('busy', 'memory: busy', { retryAfterMs: 1 })
      return put(...args)
    }
    expect(outcomes(await openWith(store).push(['org/name']))).toEqual([['org/name', 'shared', undefined]])
    const slow = openWith(failing('busy', { retryAfterMs: 3_600_000 }))
    expect((await slow.push()).map(({ outcome }) => outcome)).toEqual(['left', 'left'])
  })

  test('for one object only does not end the push', async () => {
    const store = new MemoryRemote()
    const put = store.put.bind(store)
    store.put = async (key, ...rest) => {
      if (key.startsWith('blobs')) throw new Error('no blobs today')
      return put(key, ...rest)
    }
    const pushed = await openWith(store).push()
    expect(pushed.map(({ outcome }) => outcome)).toEqual(['failed', 'shared'])
    expect(pushed[0]?.reason).toContain('no blobs today')
  })

  test('because it hangs ends after the time limit, and on the signal at once', async () => {
    for (const method of ['has', 'get', 'put'] as const) {
      const store = Object.assign(new MemoryRemote(), { [method]: () => new Promise(() => undefined) })
      const pushed = await openWith(store).push(undefined, { timeLimitMs: 20 })
      expect(outcomes(pushed).map(([, outcome]) => outcome)).toEqual(['left', 'left'])
      expect(pushed[0]?.reason).toMatch(/not sent within/)
      const stalled = await openWith(store).push(undefined, { stallMs: 20 })
      expect(stalled[0]).toMatchObject({ outcome: 'left', reason: expect.stringContaining('no progress') })
      const controller = new AbortController()
      const aborted = openWith(store).push(undefined, { signal: controller.signal })
      controller.abort(new Error('interrupted'))
      await expect(aborted).rejects.toThrow('interrupted')
    }
  })

  test('that says it has everything gets nothing; one that forgets what it has keeps it', async () => {
    const liar = Object.assign(new MemoryRemote(), { has: async () => true })
    expect((await openWith(liar).push(['org/second'])).map(({ outcome }) => outcome)).toEqual(['failed'])
    const store = new MemoryRemote()
    await openWith(store).push()
    const before = store.digests
    const forgetful = Object.assign(new MemoryRemote(store.objects), { has: async () => false })
    forgetful.put = async () => 'exists'
    expect((await openWith(forgetful).push()).map(({ outcome }) => outcome)).toEqual(['shared', 'shared'])
    expect(forgetful.digests).toEqual(before)
  })

  test('another object under a name of ours is not overwritten, and is told', async () => {
    const objects: [string, string][] = [
      [blobKey(`sha256:${sha256(WEIGHTS)}`), 'x'],
      [listingKey(modelAt()), '{}'],
      [signatureKey(modelAt(), new SigningKey(KEY).id), 'x'.repeat(500)],
    ]
    for (const [key, content] of objects) {
      const store = new MemoryRemote()
      store.objects.set(key, Buffer.from(content))
      const pushed = await openWith(store, { key: KEY }).push(['org/name'])
      expect(pushed).toMatchObject([
        { outcome: 'failed', reason: expect.stringContaining('remove it from the remote') },
      ])
      expect(Buffer.from(store.objects.get(key) ?? '').toString()).toBe(content)
    }
    // The Hub's word about the task of a commit may have changed.
    const retold = new MemoryRemote()
    await openWith(retold, { key: KEY }).push(['org/name'])
    const before = parseListing(retold.objects.get(listingKey(modelAt())) ?? Buffer.from(''))
    retold.objects.set(listingKey(modelAt()), printListing({ ...before, task: 'fill-mask' }))
    expect(outcomes(await openWith(retold, { key: KEY }).push(['org/name']))).toEqual([
      ['org/name', 'shared', undefined],
    ])
    retold.objects.set(listingKey(modelAt()), Buffer.from('{"formatVersion":2}'))
    expect(outcomes(await openWith(retold, { key: KEY }).push(['org/name']))).toEqual([
      ['org/name', 'shared', undefined],
    ])
    // A bundle that is damaged costs nothing but its use.
    const store = new MemoryRemote()
    store.objects.set(bundleKey(modelAt()), Buffer.from('damaged'))
    expect(outcomes(await openWith(store).push(['org/name']))).toEqual([['org/name', 'shared', undefined]])
    expect(store.keys.filter((key) => key.startsWith('blobs'))).toHaveLength(1 + small.length)
  })
})

test('a push that is killed at any step leaves nothing that misleads, and the next one completes it', async () => {
  await open().get('org/name')
  let step = 0
  for (let isDone = false; !isDone; step += 7) {
    await removeFolder(shareFolder())
    await mkdir(shareFolder())
    const victim = await engine.spawn({
      remote: { url: pathToFileURL(shareFolder()).href, ...settings },
      ...withKey(KEY),
    })
    await victim.begin('push', ['org/name'], 1, { step: step + 1, when: 'before' })
    isDone = !victim.isGone
    await victim.kill()
    const there = (await shared()).filter((key) => !/\.tmp$/.test(key))
    const blob = blobKey(`sha256:${sha256(WEIGHTS)}`)
    if (there.includes(blob)) expect(sha256(inShare(blob))).toBe(sha256(WEIGHTS))
    // What is said about a model is complete, and its files are there before.
    if (there.includes(listingKey(modelAt()))) {
      expect(parseListing(inShare(listingKey(modelAt()))).files.size).toBe(4)
      expect(there).toEqual(expect.arrayContaining([blob, bundleKey(modelAt())]))
    }
    expect(outcomes(await open({ key: KEY }).push())).toEqual([['org/name', 'shared', undefined]])
    expect((await shared()).filter((key) => !/\.tmp$/.test(key))).toHaveLength(5)
  }
  expect(step).toBeGreaterThan(6)
})
