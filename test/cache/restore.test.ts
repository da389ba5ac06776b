import { chmod, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { CachedModel } from '../../src/cache/cached-model.ts'
import type { CacheOptions, ModelCache } from '../../src/cache/index.ts'
import { blobNameOf, type Digest } from '../../src/model/digest.ts'
import { printLockFile } from '../../src/model/lock-file.ts'
import { toModel } from '../../src/model/model.ts'
import type { UserRemote } from '../../src/model/remote-object.ts'
import { blobKey, bundleKey } from '../../src/remote/keys.ts'
import { packBundle } from '../../src/remote/small-bundle.ts'
import { contentsOf, Engine, refusalOf } from '../support/engine.ts'
import type { Repository } from '../support/hub/index.ts'
import { canMount, mountMemory } from '../support/mount.ts'
import { fillFolder, folderRemote } from '../support/shared-folder.ts'

const WEIGHTS = 'weights '.repeat(400_000)
const FILES = { 'config.json': '{"version":1}', 'deep/weights.bin': WEIGHTS, 'empty.txt': '' }

let engine: Engine
let repository: Repository
/** The model in the cache of the machine that filled the folder. */
let filled: CachedModel
let digests: Map<string, Digest>

const shared = () => join(engine.folder, 'shared')
const lockfile = () => join(engine.folder, 'models.lock.json')

/** One machine downloads the model and fills the folder with it. Then there is a lock file. */
beforeEach(async () => {
  engine = await Engine.start(onTestFinished, { token: 'hf_test' })
  repository = engine.hub.addRepo('org/name', { files: FILES, lfsThreshold: 1000 })
  const first = engine.open({ cacheDir: join(engine.folder, 'first') })
  filled = await first.get('org/name')
  await mkdir(shared())
  digests = await fillFolder(shared(), filled)
  await writeFile(lockfile(), printLockFile({ models: [await first.state(toModel('org/name'))] }))
  engine.hub.clearRequests()
})

/** Opens the empty cache of another machine. */
function open(options: Partial<CacheOptions> = {}): ModelCache {
  return engine.open({ lockfile: lockfile(), remote: folderRemote(shared()), ...options })
}

function objectOf(path: string): string {
  return join(shared(), blobKey(digests.get(path) ?? 'sha1:'))
}

async function changeObject(path: string, content: string): Promise<void> {
  await chmod(objectOf(path), 0o644)
  await writeFile(objectOf(path), content)
}

/** A remote of the user's own over the folder. `change` replaces methods. */
function ownRemote(change: (plain: UserRemote) => Partial<UserRemote>): CacheOptions['remote'] {
  const plain: UserRemote = {
    name: 'our remote',
    ranges: true,
    has: async () => false,
    get: async (key, { start, end }) =>
      readFile(join(shared(), key)).then(
        (bytes) => bytes.subarray(start, end),
        () => undefined,
      ),
    put: async () => undefined,
  }
  return { store: { ...plain, ...change(plain) }, timeoutMs: 1000, uploadPrivate: false }
}

async function isComplete(model: CachedModel): Promise<void> {
  expect(await contentsOf(model)).toEqual(FILES)
  expect(await engine.listing('incoming')).toEqual([])
}

describe('an empty machine with a lock file', () => {
  test('gets all files from the folder while the Hub is off, and then serves them from disk', async () => {
    await engine.hub.stopListening()
    const progress: (string | undefined)[] = []
    const model = await open().get('org/name', { onProgress: ({ source }) => progress.push(source) })
    const restoredBytes = model.bytes
    expect(model).toMatchObject({ tier: 'remote', downloadMs: null, downloadedBytes: 0, restoredBytes })
    expect(model.restoreMs).toBeGreaterThan(0)
    expect(progress.at(-1)).toBe('remote')
    await isComplete(model)
    expect(await open({ remote: undefined }).get('org/name')).toMatchObject({ tier: 'disk', restoredBytes: 0 })
    expect(engine.hub.requests).toEqual([])
    expect(engine.warnings).toEqual([])
    // The time of a download is not known, so none counts as saved.
    expect((await open().get('org/name')).recordedDownloadMs).toBeNull()
  })

  test('gets them offline, too, since a folder needs no network; another remote is not asked', async () => {
    let calls = 0
    const counting = ownRemote(({ get }) => ({
      get: (...given) => {
        calls++
        return get(...given)
      },
    }))
    expect(await refusalOf(open({ offline: true, remote: counting }).get('org/name'))).toMatchObject({
      code: 'OFFLINE',
    })
    expect(calls).toBe(0)
    await isComplete(await open({ offline: true }).get('org/name'))
  })

  test('gets what the remote lacks from the Hub', async () => {
    await rm(objectOf('config.json'))
    const model = await open().get('org/name')
    expect(model).toMatchObject({ tier: 'hub', restoreMs: null, restoredBytes: WEIGHTS.length })
    expect(engine.filesAsked).toEqual(['config.json'])
    await isComplete(model)
  })

  test('gets small files from one object that has them all', async () => {
    const small = ['config.json', 'empty.txt'].map((path) => {
      const bytes = Buffer.from(FILES[path as keyof typeof FILES])
      return { digest: digests.get(path) ?? 'sha1:', size: bytes.byteLength, bytes } as const
    })
    const { repo, commit } = filled
    const bundle = join(shared(), bundleKey({ endpoint: engine.hub.url, repo, commit }))
    await mkdir(join(bundle, '..'), { recursive: true })
    await writeFile(bundle, packBundle([...small]))
    for (const path of ['config.json', 'empty.txt']) await rm(objectOf(path))
    await engine.hub.stopListening()
    const model = await open().get('org/name')
    expect(model.tier).toBe('remote')
    await isComplete(model)
    await writeFile(bundle, '<html>Please log in</html>')
    const third = open({ cacheDir: join(engine.folder, 'third'), offline: true })
    expect((await refusalOf(third.get('org/name'))).code).toBe('OFFLINE')
    expect(engine.warnings).toEqual([expect.stringMatching(/An object of the remote file:.* is wrong.*org\/name/)])
  })

  test('reads it once for two processes that ask at the same time', async () => {
    await engine.hub.stopListening()
    const options = { lockfile: lockfile(), remote: folderRemote(shared()) }
    const processes = [await engine.spawn(options), await engine.spawn(options)]
    const turns = await Promise.all(processes.map((each) => each.do('get', ['org/name'])))
    expect(turns.flatMap(({ given }) => given.map(({ tier }) => tier)).sort()).toEqual(['disk', 'remote'])
  })
})

describe('without a lock file', () => {
  test('the digests that the Hub states count, and only the API is asked', async () => {
    const model = await open({ lockfile: undefined }).get('org/name')
    expect(model.tier).toBe('remote')
    expect(engine.filesAsked).toEqual([])
    await isComplete(model)
  })

  test('what nobody stated is not taken', async () => {
    const code = 'OFFLINE'
    expect(await refusalOf(open({ lockfile: undefined, offline: true }).get('org/name'))).toMatchObject({ code })
  })
})

describe('a model that is not public', () => {
  beforeEach(async () => {
    engine.hub.addRepo('org/private', { files: FILES, lfsThreshold: 1000, private: true })
    const hub = { endpoint: engine.hub.url, token: engine.hub.token, concurrency: 8 }
    const first = engine.open({ cacheDir: join(engine.folder, 'first'), hub })
    await fillFolder(shared(), await first.get('org/private'))
    await writeFile(lockfile(), printLockFile({ models: [await first.state(toModel('org/private'))] }))
    engine.hub.clearRequests()
  })

  test('is taken only if the Hub lets this machine read it', async () => {
    const hub = { endpoint: engine.hub.url, concurrency: 8 }
    expect((await refusalOf(open({ hub }).get('org/private'))).code).toMatch(/ACCESS_DENIED|MODEL_NOT_FOUND|GATED/)
    expect(await engine.listing()).not.toContainEqual(expect.stringContaining('weights'))
    const model = await open({ hub: { ...hub, token: engine.hub.token } }).get('org/private')
    expect(model.tier).toBe('remote')
    expect(await engine.listing()).toContainEqual(expect.stringContaining('weights'))
    const third = open({ hub, cacheDir: join(engine.folder, 'third'), offline: true })
    expect((await refusalOf(third.get('org/private'))).code).toBe('OFFLINE')
  })
})

describe('an object that is', () => {
  const wrong: [string, (content: string) => string][] = [
    ['flipped', (content) => `W${content.slice(1)}`],
    ['truncated', (content) => content.slice(0, -1)],
    ['too long', (content) => `${content}!`],
    ['a page of HTML', () => '<html>Please log in</html>'],
  ]
  test.each(wrong)('%s is discarded with one warning, and the Hub sends the file', async (_, change) => {
    await changeObject('deep/weights.bin', change(WEIGHTS))
    const model = await open().get('org/name')
    expect(model.tier).toBe('hub')
    expect(engine.filesAsked).toEqual(['deep/weights.bin'])
    expect(engine.warnings).toEqual([expect.stringMatching(/An object of the remote .* is wrong.*deep\/weights\.bin/)])
    await isComplete(model)
  })

  test('that of another file is discarded; without the Hub nothing is served', async () => {
    await changeObject('config.json', 'x'.repeat(FILES['config.json'].length))
    expect(await refusalOf(open({ offline: true }).get('org/name'))).toMatchObject({ code: 'OFFLINE' })
    expect(await engine.listing('hub/models--org--name/snapshots')).not.toContainEqual(
      expect.stringContaining('config.json'),
    )
  })
})

describe('a remote that', () => {
  const never = new Promise<never>(() => undefined)
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  const faults: [string, () => CacheOptions['remote'], RegExp][] = [
    ['does not answer', () => ownRemote(() => ({ get: () => never })), /no answer within 0\.3 s/],
    [
      'returns a text',
      // @ts-expect-error: a user who writes JavaScript
      () => ownRemote(() => ({ get: async () => 'text' })),
      /`get` gave something else than a Uint8Array/,
    ],
    ['is down', () => ownRemote(() => ({ get: () => Promise.reject(refused) })), /ECONNREFUSED/],
    [
      'is a folder that is not there',
      () => folderRemote(join(engine.folder, 'gone/share')),
      /There is no folder .*gone\. Perhaps the share is not mounted/,
    ],
    [
      'stalls in the middle',
      () =>
        ownRemote(() => ({
          async get() {
            return (async function* () {
              yield Buffer.from('wei')
              await never
            })()
          },
        })),
      /stalled/,
    ],
  ]
  test.each(faults)('%s costs one delay and one warning for eight models', async (_, remote, reason) => {
    const names = Array.from({ length: 8 }, (_, index) => `org/model-${index}`)
    for (const name of names) engine.hub.addRepo(name, { files: { 'a.bin': `${name} `.repeat(100_000) } })
    const cache = open({ lockfile: undefined, remote: remote(), stallMs: 300 })
    const results = await cache.warm(names)
    expect(results.map((result) => 'cached' in result && result.cached.tier)).toEqual(names.map(() => 'hub'))
    expect(engine.warnings).toEqual([expect.stringMatching(/is not used any more in this run: .* comes from the Hub/)])
    expect(engine.warnings[0]).toMatch(reason)
  })

  test('failed in one process of a run is not asked by the others, and asked again by the next run', async () => {
    let calls = 0
    const remote = ownRemote(() => ({
      get() {
        calls++
        return Promise.reject(refused)
      },
    }))
    const run = { id: `${'a'.repeat(8)}-${process.pid}-abcdef`, pid: process.pid }
    const given = { remote, run, lockfile: undefined }
    const [first, second] = [open(given), open(given)]
    await first.get('org/name')
    const callsOfFirst = calls
    expect(callsOfFirst).toBeGreaterThan(0)
    engine.hub.addRepo('org/other', { files: { 'a.bin': 'a' } })
    await second.get('org/other')
    expect(calls).toBe(callsOfFirst)
    expect(engine.warnings).toHaveLength(1)
    expect(await engine.listing()).toContainEqual(expect.stringContaining('remote.json'))
    await second.endRun()
    expect(await engine.listing()).not.toContainEqual(expect.stringContaining('remote.json'))
    engine.hub.addRepo('org/third', { files: { 'a.bin': 'b' } })
    await open(given).get('org/third')
    expect(calls).toBeGreaterThan(callsOfFirst)
  })

  test('answers while the process is too busy to look is not taken for dead', async () => {
    const remote = ownRemote(({ get }) => ({
      get(key, options) {
        const answer = get(key, options)
        const until = performance.now() + 400
        while (performance.now() < until);
        return answer
      },
    }))
    expect((await open({ remote, stallMs: 300 }).get('org/name')).tier).toBe('remote')
    expect(engine.warnings).toEqual([])
  })

  test('is empty and slow is not asked for every file', async () => {
    let calls = 0
    const remote = ownRemote(() => ({
      get() {
        calls++
        return new Promise((resolve) => setTimeout(resolve, 100))
      },
    }))
    const names = Array.from({ length: 32 }, (_, index) => `${index}.json`)
    engine.hub.addRepo('org/many', { files: Object.fromEntries(names.map((name) => [name, name])) })
    const model = await open({ remote, lockfile: undefined, stallMs: 300 }).get('org/many')
    expect(model).toMatchObject({ tier: 'hub', restoredBytes: 0 })
    // The object of all small files, then eight files at a time until the time is spent.
    expect(calls).toBeLessThanOrEqual(1 + 3 * 8)
    expect(engine.warnings).toEqual([])
  })

  test('hangs does not hold up a caller that gives up, who learns nothing bad of it', async () => {
    const stop = new AbortController()
    const remote = ownRemote(() => ({
      get() {
        stop.abort(new Error('The user pressed Ctrl-C'))
        return never
      },
    }))
    await expect(open({ remote }).get('org/name', { signal: stop.signal })).rejects.toThrow('Ctrl-C')
    expect(engine.warnings).toEqual([])
    expect(await engine.listing('incoming')).toEqual([])
  })

  test('is busy is asked again', async () => {
    let calls = 0
    const remote = ownRemote(({ get }) => ({
      get: (key, options) => {
        const busy = Object.assign(new Error('Slow down'), { status: 503 })
        return calls++ === 0 ? Promise.reject(busy) : get(key, options)
      },
    }))
    expect((await open({ remote }).get('org/name')).tier).toBe('remote')
    expect(engine.warnings).toEqual([])
  })

  test('breaks off is continued where it stopped, and so is its part by the Hub', async () => {
    const asked: (number | undefined)[] = []
    const half = WEIGHTS.length / 2
    const broken = (isBrokenAgain: boolean) =>
      ownRemote(({ get }) => ({
        async get(key, options) {
          if (!key.endsWith(blobNameOf(digests.get('deep/weights.bin') ?? 'sha1:'))) return get(key, options)
          asked.push(options.start)
          if (asked.length > 1 && isBrokenAgain) throw new Error('The remote has a bad day')
          if (asked.length > 1) return get(key, options)
          return (async function* () {
            yield Buffer.from(WEIGHTS.slice(0, half))
            throw new Error('The connection broke off')
          })()
        },
      }))
    const model = await open({ remote: broken(false) }).get('org/name')
    expect(model).toMatchObject({ tier: 'remote', restoredBytes: model.bytes })
    expect(asked).toEqual([undefined, half])
    asked.length = 0
    const other = await open({ remote: broken(true), cacheDir: join(engine.folder, 'third') }).get('org/name')
    expect(other).toMatchObject({ tier: 'hub', restoredBytes: other.bytes - half })
    expect(other.downloadedBytes).toBe(half)
    expect(await contentsOf(other)).toEqual(FILES)
  })

  test('can only be read from the beginning is used, too', async () => {
    const remote = ownRemote(({ get }) => ({ ranges: false, get: (key, { signal }) => get(key, { signal }) }))
    expect((await open({ remote }).get('org/name')).tier).toBe('remote')
  })
})

test('a process that is killed while it reads from the remote leaves bytes that the next one continues with', async () => {
  await engine.hub.stopListening()
  const options = { lockfile: lockfile(), remote: folderRemote(shared()) }
  for (const step of [12, 18, 24]) {
    const cacheDir = join(engine.folder, `killed ${step}`)
    const killed = await engine.spawn({ ...options, cacheDir })
    await killed.begin('get', ['org/name'], 1, { step, when: 'after' })
    const model = await open({ cacheDir }).get('org/name')
    expect(await contentsOf(model)).toEqual(FILES)
  }
  expect(engine.warnings).toEqual([])
})

test.runIf(canMount)('a full disk is reported as such', async () => {
  const cacheDir = join(engine.folder, 'full')
  await mkdir(cacheDir)
  onTestFinished(mountMemory(cacheDir, 2).unmount)
  const error = await refusalOf(open({ cacheDir }).get('org/name'))
  expect(error.code).toBe('CACHE_UNUSABLE')
  expect(await readdir(join(cacheDir, 'incoming'))).toEqual([])
})

test('a truncated object that is repaired later is taken again', async () => {
  await truncate(objectOf('deep/weights.bin'), 5)
  await refusalOf(open({ offline: true }).get('org/name'))
  await changeObject('deep/weights.bin', WEIGHTS)
  expect((await open().get('org/name')).tier).toBe('remote')
  expect(repository.commit).toBe(filled.commit)
})
