import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { CacheOptions, ModelCache } from '../../src/cache/index.ts'
import { printLockFile } from '../../src/model/lock-file.ts'
import { toModel } from '../../src/model/model.ts'
import { blobKey } from '../../src/remote/keys.ts'
import { contentsOf, Engine, sha256 } from '../support/engine.ts'
import type { StartedBackend } from '../support/remote/backend.ts'
import { backends } from '../support/remote/backends.ts'

// Two parts on S3.
const WEIGHTS = randomBytes(9 * 2 ** 20).toString('latin1')
const FILES = { 'config.json': '{"version":1}', 'weights.bin': Buffer.from(WEIGHTS, 'latin1') }
const KEY = 'k'.repeat(40)

describe.each(backends)('through a store of $name', ({ missing, start }) => {
  if (missing !== undefined) {
    test.skip(`(skipped: ${missing})`)
    return
  }

  let backend: StartedBackend
  let engine: Engine
  let remote: CacheOptions['remote']
  let lockfile: string
  let stores = 0

  beforeAll(async () => {
    backend = await start()
  })
  afterAll(() => backend.close())
  beforeEach(async () => {
    engine = await Engine.start(onTestFinished)
    engine.hub.addRepo('org/name', { files: FILES })
    const name = `trip${++stores}`
    // Makes the store where it has to be made.
    const store = await backend.open(name)
    store.close?.()
    remote = { url: backend.addressOf(name).href, timeoutMs: 60_000, uploadPrivate: false }
    await open('A', { remote: undefined }).get('org/name')
    lockfile = join(engine.folder, 'models.lock.json')
    await writeFile(lockfile, printLockFile({ models: [await open('A').state(toModel('org/name'))] }))
  })
  afterEach(() => backend.proxy?.reset())

  const environment = () => ({ ...backend.env, HF_HOME: join(engine.folder, 'no login'), MODEL_CACHE_REMOTE_KEY: KEY })

  /** Opens the cache of a machine. */
  function open(machine: string, options: Partial<CacheOptions> = {}): ModelCache {
    return engine.open({ cacheDir: join(engine.folder, machine), remote, env: environment(), ...options })
  }

  async function expectOnMachine(name: string, options: Partial<CacheOptions>): Promise<void> {
    const model = await open(name, options).get('org/name')
    expect(model.tier).toBe('remote')
    expect(await contentsOf(model)).toEqual({ 'config.json': FILES['config.json'], 'weights.bin': WEIGHTS })
    expect((await open(name, options).get('org/name')).tier).toBe('disk')
  }

  test('a model that two machines push at once reaches an empty machine while the Hub is down', async () => {
    const pushed = await Promise.all([open('A').push(), open('A').push()])
    expect(pushed.flat().map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['shared', undefined],
      ['shared', undefined],
    ])
    expect(await open('A').push()).toMatchObject([{ outcome: 'shared', sentBytes: 0 }])
    await engine.hub.stopListening()
    await expectOnMachine('B', { lockfile })
  })

  test('a push that is killed while it sends leaves no part of an object, and is completed later', async () => {
    const { proxy } = backend
    const victim = await engine.spawn({ cacheDir: join(engine.folder, 'A'), remote, env: environment() })
    if (proxy) {
      const isSending = new Promise<void>((resolve) => {
        proxy.add(({ method }) => {
          if (method === 'PUT' || method === 'POST') resolve()
          return undefined
        })
      })
      void victim.begin('push', ['org/name'])
      await isSending
    } else await victim.begin('push', ['org/name'], 1, { step: 12, when: 'before' })
    await victim.kill()
    proxy?.reset()
    const store = await backend.open(`trip${stores}`)
    const { signal } = new AbortController()
    const found = await store.has(blobKey(`sha256:${sha256(FILES['weights.bin'])}`), { signal })
    expect([undefined, FILES['weights.bin'].length]).toContain(found?.size)
    store.close?.()
    expect(await open('A').push()).toMatchObject([{ outcome: 'shared' }])
    await engine.hub.stopListening()
    await expectOnMachine('B', { lockfile })
  })

  test('a server that refuses, is full or breaks off costs no more than the upload', async () => {
    const { proxy } = backend
    if (!proxy) return
    const writes = ({ method }: { method: string }) => method === 'PUT' || method === 'POST'
    const pushWith = async (fault: Parameters<typeof proxy.add>[0], cache = open('A')) => {
      proxy.reset()
      proxy.add(fault)
      const [pushed] = await cache.push()
      return pushed
    }
    const refused = open('A')
    expect(await pushWith((asked) => (writes(asked) ? { status: 403 } : undefined), refused)).toMatchObject({
      outcome: 'left',
    })
    expect(engine.warnings.at(-1)).toMatch(/This process only reads from the remote now\.$/)
    await expect(refused.push()).rejects.toMatchObject({ code: 'REMOTE_UNUSABLE' })
    expect(await pushWith((asked) => (writes(asked) ? { status: 507 } : undefined))).toMatchObject({ outcome: 'left' })
    let left = 1
    const isFirst = () => left-- > 0
    const cut = await pushWith((asked) => (writes(asked) && isFirst() ? 'cut' : undefined))
    expect(cut).toMatchObject({ outcome: 'shared' })
    await engine.hub.stopListening()
    await expectOnMachine('B', { lockfile })
  })
})
