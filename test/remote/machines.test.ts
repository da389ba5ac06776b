import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { CacheOptions, ModelCache } from '../../src/cache/index.ts'
import { printLockFile } from '../../src/model/lock-file.ts'
import { toModel } from '../../src/model/model.ts'
import { blobKey } from '../../src/remote/keys.ts'
import { contentsOf, Engine, sha256 } from '../support/engine.ts'
import type { StartedBackend } from '../support/remote/backend.ts'
import { backends } from '../support/remote/backends.ts'
import { bodyOf, madeBytes } from '../support/remote/bodies.ts'
import type { Fault } from '../support/remote/faulty-proxy.ts'
import { useBackend } from '../support/remote/use-backend.ts'

const { signal } = new AbortController()
// Larger than what goes into the bundle of small files.
const large = (name: string) => `${name} `.repeat(150_000)
const FILES = {
  'config.json': '{}',
  'vocab.txt': 'a\nb\n',
  'a.bin': large('a'),
  'b.bin': large('b'),
  'c.bin': large('c'),
}
const WEIGHTS = ['a.bin', 'b.bin', 'c.bin'] as const
const keyOf = (path: keyof typeof FILES) => blobKey(`sha256:${sha256(FILES[path])}`)

describe.each(backends)('machines that share $name', (kind) => {
  const started = useBackend(kind)
  if (!started) return

  let backend: StartedBackend
  let engine: Engine
  let stores = 0

  beforeAll(() => {
    backend = started()
  })
  beforeEach(async () => {
    engine = await Engine.start(onTestFinished)
    engine.hub.addRepo('org/name', { files: FILES, lfsThreshold: 1000 })
    const store = await backend.open(`machines${++stores}`)
    store.close?.()
  })

  const lockfile = () => join(engine.folder, 'models.lock.json')
  const settings = () => ({
    remote: { url: backend.addressOf(`machines${stores}`).href, timeoutMs: 60_000, uploadPrivate: false },
    env: { HF_HOME: join(engine.folder, 'no login'), ...backend.env },
  })
  const cacheDir = (machine: string) => join(engine.folder, machine)
  /** The cache of a machine. */
  const open = (machine: string, options: Partial<CacheOptions> = {}): ModelCache =>
    engine.open({ cacheDir: cacheDir(machine), ...settings(), ...options })

  /** Machine A downloads the model from the Hub and shares it. Then there is a lock file. */
  async function share(): Promise<void> {
    const first = open('A')
    expect((await first.get('org/name')).tier).toBe('hub')
    expect(await first.push()).toMatchObject([{ outcome: 'shared' }])
    await writeFile(lockfile(), printLockFile({ models: [await first.state(toModel('org/name'))] }))
    engine.hub.clearRequests()
  }

  /** Puts other bytes in place of an object, as somebody can who has the rights to write. */
  async function change(path: keyof typeof FILES, content: string): Promise<void> {
    const store = await backend.open(`machines${stores}`)
    await store.put(keyOf(path), bodyOf(content), { signal, overwrite: true })
    store.close?.()
  }

  test('an empty machine gets everything while the Hub is off, and a warm one asks nobody', async () => {
    await share()
    await engine.hub.stopListening()
    const model = await open('B', { lockfile: lockfile() }).get('org/name')
    expect(model).toMatchObject({ tier: 'remote', downloadedBytes: 0, restoredBytes: model.bytes })
    expect(await contentsOf(model)).toEqual(FILES)
    backend.proxy?.reset()
    const warm = await open('B', { lockfile: lockfile() }).get('org/name')
    expect(warm).toMatchObject({ tier: 'disk', restoredBytes: 0 })
    expect([...engine.hub.requests, ...(backend.proxy?.requests ?? []), ...engine.warnings]).toEqual([])
  })

  test('a new revision of a large file costs its difference, with and without the earlier one', async () => {
    const [first, second] = [madeBytes(4.5 * 2 ** 20), madeBytes(4.5 * 2 ** 20)]
    second.fill('changed', 2_000_000, 2_040_000)
    const repository = engine.hub.addRepo('org/large', { files: { 'weights.bin': first }, lfsThreshold: 1000 })
    await open('A').get('org/large')
    await open('A').push()
    await open('B').get('org/large')
    repository.addCommit({ files: { 'weights.bin': second } })
    await open('A', { remote: undefined, maxAge: 0 }).get('org/large')
    engine.hub.clearRequests()
    const sent = (await open('A').push()).reduce((sum, { sentBytes }) => sum + sentBytes, 0)
    expect(sent).toBeLessThan(0.2 * first.length)
    for (const machine of ['B', 'C']) {
      const model = await open(machine, { maxAge: 0 }).get('org/large')
      expect(model.tier).toBe('remote')
      expect(second.equals(await readFile(model.file('weights.bin')))).toBe(true)
      expect(model.restoredBytes < 0.2 * first.length).toBe(machine === 'B')
    }
    expect([...engine.filesAsked, ...engine.warnings]).toEqual([])
  })

  test('flipped, truncated and foreign objects are discarded, and the Hub sends these files', async () => {
    await share()
    await change('a.bin', `A${FILES['a.bin'].slice(1)}`)
    await change('b.bin', FILES['b.bin'].slice(0, -1))
    await change('c.bin', FILES['a.bin'])
    const model = await open('B', { lockfile: lockfile() }).get('org/name')
    expect(await contentsOf(model)).toEqual(FILES)
    expect(engine.filesAsked.sort()).toEqual([...WEIGHTS])
    expect(engine.warnings.length).toBeGreaterThan(0)
    expect(await engine.listing('incoming').catch(() => [])).toEqual([])
  })

  test('a server that refuses or breaks in the middle costs one warning, and one that was busy costs none', async ({
    skip,
  }) => {
    if (!backend.proxy) return skip('there is no server')
    const { proxy } = backend
    await share()
    for (const [machine, fault, warnings] of [
      ['denied', { status: 403 }, 1],
      ['down', { status: 503 }, 1],
      ['cut', { cutAfter: 1000 }, 1],
      ['busy', { status: 503, headers: { 'Retry-After': '0' }, times: 1 }, 0],
    ] as const) {
      proxy.reset()
      engine.warnings.length = 0
      let left = 'times' in fault ? fault.times : Number.POSITIVE_INFINITY
      // Small files and one large file arrive before.
      proxy.add(({ method, path }) =>
        method === 'GET' && path.includes(sha256(FILES['b.bin'])) && left-- > 0 ? fault : undefined,
      )
      // A server that is down is asked again until then.
      const stallMs = machine === 'down' ? 300 : undefined
      const model = await open(machine, { lockfile: lockfile(), stallMs }).get('org/name')
      expect(await contentsOf(model)).toEqual(FILES)
      expect(model.tier).toBe(warnings === 0 ? 'remote' : 'hub')
      expect(engine.warnings.length, `${machine}: ${engine.warnings.join()}`).toBeLessThanOrEqual(warnings)
    }
  })

  test('two that share the same model at once both succeed, and one that is killed can be continued', async () => {
    const [first, second] = [open('A'), open('second')]
    await Promise.all([first.get('org/name'), second.get('org/name')])
    const killed = await engine.spawn({ ...settings(), cacheDir: cacheDir('A') }, backend.env)
    backend.proxy?.add(({ method, path }) => {
      if (method === 'PUT' && path.includes(sha256(FILES['b.bin']))) void killed.kill()
      return undefined
    })
    await killed.begin('push', ['org/name'], 1, backend.proxy ? undefined : { step: 6, when: 'after' })
    backend.proxy?.reset()
    expect(killed.turns).toEqual([])
    const results = await Promise.all([first.push(), second.push()])
    expect(results.flat()).toMatchObject([{ outcome: 'shared' }, { outcome: 'shared' }])
    const model = await open('B').get('org/name')
    expect(model.tier).toBe('remote')
    expect(await contentsOf(model)).toEqual(FILES)
    expect(engine.warnings).toEqual([])
  })

  test('a server that refuses to be written, is full or breaks off costs no more than the upload', async ({ skip }) => {
    const { proxy } = backend
    if (!proxy) return skip('there is no server')
    // Signed, so that a ref is written, too.
    const { remote, env } = settings()
    const openSigned = () => open('A', { remote, env: { ...env, MODEL_CACHE_REMOTE_KEY: 'k'.repeat(40) } })
    await open('A').get('org/name')
    const pushWith = async (fault: Fault, times = Number.POSITIVE_INFINITY, cache = openSigned()) => {
      proxy.reset()
      let left = times
      proxy.add(({ method }) => (['PUT', 'POST'].includes(method) && left-- > 0 ? fault : undefined))
      return (await cache.push())[0]
    }
    const refused = openSigned()
    expect(await pushWith({ status: 403 }, undefined, refused)).toMatchObject({ outcome: 'left' })
    expect(engine.warnings).toEqual([expect.stringMatching(/\. This process only reads from the remote now\.$/)])
    await expect(refused.push()).rejects.toMatchObject({ code: 'REMOTE_UNUSABLE' })
    expect(await pushWith({ status: 507 })).toMatchObject({ outcome: 'left' })
    expect(await pushWith('cut', 1)).toMatchObject({ outcome: 'shared' })
    expect(await openSigned().push()).toMatchObject([{ outcome: 'shared', sentBytes: 0 }])
  })
})
