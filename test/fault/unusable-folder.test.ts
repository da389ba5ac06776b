import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { IncomingFile } from '../../src/cache/store/downloads/incoming.ts'
import { Layout } from '../../src/cache/store/layout.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { contentsOf, Engine, refusalOf } from '../support/engine.ts'
import { canMount, mountMemory } from '../support/mount.ts'

const MEGABYTE = 1 << 20
const WEIGHTS = randomBytes(12 * MEGABYTE)
const FILES = { 'config.json': '{}' }

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/name', { files: FILES })
  engine.hub.addRepo('org/large', { files: { 'weights.bin': WEIGHTS } })
})

/** Opens a cache for a live run, as the plugin does. */
function openForRun(id: string, options: Parameters<Engine['open']>[0] = {}) {
  const cache = engine.open({ run: { id, pid: process.pid }, whenUnusable: 'temporary', ...options })
  onTestFinished(() => cache.endRun())
  return cache
}

async function temporaryFolders(id: string): Promise<string[]> {
  return (await readdir(tmpdir())).filter((name) => name.includes(id))
}

describe.each([
  ['is a file', () => writeFile(engine.cacheDir, 'a file')],
  [
    'has a file in place of `incoming`',
    async () => {
      await engine.open().get('org/large')
      await rm(engine.inCache('incoming'), { recursive: true })
      await writeFile(engine.inCache('incoming'), 'a file')
    },
  ],
])('a cache folder that %s', (_, spoil) => {
  test('is an error that names the folder and says what to do', async () => {
    await spoil()
    const refusal = await refusalOf(engine.open().get('org/name'))
    expect(refusal).toMatchObject({ code: 'CACHE_UNUSABLE', nextStep: expect.stringContaining('MODEL_CACHE_DIR') })
    expect(refusal.message).toContain(engine.cacheDir)
  })

  test('does not fail a run: the model is downloaded to a temporary folder of the run, with one warning', async () => {
    await spoil()
    const id = `run-${randomBytes(4).toString('hex')}`
    const cache = openForRun(id)
    let underWay: string[] = []
    const onProgress = () => {
      underWay = [...cache.context.underWay.keys()]
    }
    expect(await contentsOf(await cache.get('org/name', { onProgress }))).toEqual(FILES)
    // The main cache also reports downloads of the temporary cache: the messages about time-outs and waits are made from it.
    expect([underWay, cache.context.hasAskedHub]).toEqual([['org/name'], true])
    // Another process of the same run finds the model in the temporary folder.
    expect((await openForRun(id).get('org/name')).tier).toBe('disk')
    expect(engine.filesAsked.filter((file) => file === 'config.json')).toHaveLength(1)
    expect(new Set(engine.warnings).size).toBe(1)
    expect(engine.warnings[0]).toMatch(/MODEL_CACHE_DIR.*temporary folder/)
    expect(await temporaryFolders(id)).toHaveLength(1)
    await cache.endRun()
    expect(await temporaryFolders(id)).toEqual([])
  })
})

test('a file that untouched code requests is downloaded to the temporary folder too', async () => {
  await writeFile(engine.cacheDir, 'a file')
  const cache = openForRun(`run-${randomBytes(4).toString('hex')}`)
  const main = { repo: parseRepoId('org/large'), revision: 'main' }
  expect(await cache.describe(main, 'weights.bin')).toMatchObject({ size: WEIGHTS.length, access: 'public' })
  expect(engine.filesAsked).toEqual([])
  const { file } = await cache.file(main, 'weights.bin')
  expect(Buffer.compare(await readFile(file), WEIGHTS)).toBe(0)
  expect(await refusalOf(cache.file(main, 'nope.bin'))).toMatchObject({ code: 'FILE_NOT_FOUND' })
  expect(await refusalOf(cache.describe(main, 'nope.bin'))).toMatchObject({ code: 'FILE_NOT_FOUND' })
})

test('two caches of a run with different Hubs have separate temporary folders', async () => {
  const other = await Engine.start(onTestFinished)
  other.hub.addRepo('org/name', { files: { 'config.json': '{"other":true}' } })
  const id = `run-${randomBytes(4).toString('hex')}`
  await writeFile(engine.cacheDir, 'a file')
  expect(await contentsOf(await openForRun(id).get('org/name'))).toEqual(FILES)
  const cache = openForRun(id, { hub: { endpoint: other.hub.url, concurrency: 8 } })
  expect(await contentsOf(await cache.get('org/name'))).toEqual({ 'config.json': '{"other":true}' })
})

test('a cache works if part of it is on another device', async () => {
  const elsewhere = join(engine.folder, 'elsewhere')
  await Promise.all([mkdir(elsewhere), mkdir(engine.cacheDir, { recursive: true })])
  if (canMount) onTestFinished(mountMemory(elsewhere, 32).unmount)
  await symlink(elsewhere, engine.inCache('hub'))
  const model = await engine.open().get('org/large')
  expect(Buffer.compare(await readFile(model.file('weights.bin')), WEIGHTS)).toBe(0)
  expect((await engine.open().get('org/large')).tier).toBe('disk')
  expect(await readdir(engine.inCache('incoming'))).toEqual([])
})

describe.skipIf(!canMount)('a separate file system', () => {
  function mount(megabytes: number) {
    const memory = mountMemory(engine.cacheDir, megabytes)
    onTestFinished(memory.unmount)
    return memory
  }

  test('that is read-only serves its models without a warning', async () => {
    const { makeReadOnly } = mount(32)
    await engine.open().get('org/name')
    makeReadOnly()
    engine.hub.clearRequests()
    const cache = openForRun(`run-${randomBytes(4).toString('hex')}`)
    expect(await contentsOf(await cache.get('org/name'))).toEqual(FILES)
    expect(engine.hub.requests).toEqual([])
    expect(engine.warnings).toEqual([])
  })

  test('that is read-only does not prevent a download, which goes to a temporary folder of the run', async () => {
    const { makeReadOnly } = mount(32)
    await engine.open().get('org/name')
    makeReadOnly()
    const model = await openForRun(`run-${randomBytes(4).toString('hex')}`).get('org/large')
    expect(Buffer.compare(await readFile(model.file('weights.bin')), WEIGHTS)).toBe(0)
    expect(dirname(model.directory)).not.toContain(engine.cacheDir)
  })

  test('without room for a model is an error before the download', async () => {
    mount(8)
    const refusal = await refusalOf(engine.open().get('org/large'))
    expect(refusal).toMatchObject({ code: 'CACHE_UNUSABLE', reason: expect.stringMatching(/12 MiB.* has \d.* left/) })
    expect(engine.filesAsked).toEqual([])
  })

  test('with room for the rest of an unfinished download continues it', async () => {
    mount(16)
    engine.hub.throttle({ perConnection: 20 * MEGABYTE })
    const controller = new AbortController()
    const { signal } = controller
    const onProgress = ({ receivedBytes }: { receivedBytes: number }) => {
      if (receivedBytes > 8 * MEGABYTE) controller.abort(new Error('enough'))
    }
    await expect(engine.open().get('org/large', { signal, onProgress })).rejects.toThrow('enough')
    const model = await engine.open().get('org/large')
    expect(Buffer.compare(await readFile(model.file('weights.bin')), WEIGHTS)).toBe(0)
  })

  test('that becomes full during a download keeps no part of it, and the run is served', async () => {
    mount(16)
    engine.hub.throttle({ perConnection: 30 * MEGABYTE })
    const id = `run-${randomBytes(4).toString('hex')}`
    let filled: Promise<void> | undefined
    const fill = () => writeFile(engine.inCache('other'), Buffer.alloc(8 * MEGABYTE)).catch(() => undefined)
    const onProgress = ({ receivedBytes }: { receivedBytes: number }) => {
      if (receivedBytes > 4 * MEGABYTE) filled ??= fill()
    }
    const refusal = await refusalOf(engine.open().get('org/large', { onProgress }))
    expect(refusal).toMatchObject({ code: 'CACHE_UNUSABLE', reason: expect.stringMatching(/ENOSPC|full/) })
    await filled
    expect(await engine.listing('incoming')).toEqual([])
    expect(await engine.listing('hub').then((paths) => paths.filter((path) => /blobs|snapshots/.test(path)))).toEqual(
      [],
    )
    const model = await openForRun(id).get('org/large')
    expect(Buffer.compare(await readFile(model.file('weights.bin')), WEIGHTS)).toBe(0)
  })
})

describe.skipIf(!canMount)('a full disk', () => {
  test('has no temporary file after a download that could not start', async () => {
    const memory = mountMemory(engine.cacheDir, 4)
    await engine.open().get('org/name')
    const before = await engine.listing()
    await writeFile(engine.inCache('other'), Buffer.alloc(4 * MEGABYTE)).catch(() => undefined)
    const cache = engine.open()
    await refusalOf(cache.get('org/large'))
    await expect(cache.remove('org/name')).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await engine.listing()).toEqual([...before, 'other'].sort())
    memory.unmount()
  })

  test('has no unfinished download after one that could not start', async () => {
    const memory = mountMemory(engine.cacheDir, 4)
    const layout = new Layout(engine.cacheDir)
    await mkdir(layout.incoming)
    await writeFile(engine.inCache('other'), Buffer.alloc(4 * MEGABYTE)).catch(() => undefined)
    const claim = IncomingFile.claim(layout, `sha256:${'0'.repeat(64)}`, 2 * MEGABYTE)
    await expect(claim).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await engine.listing('incoming')).toEqual([])
    // The unmount fails if a file of the file system is still open.
    memory.unmount()
  })
})

describe('a download', () => {
  test('that exceeds the option hub.timeout is an error, and its received bytes are kept', async () => {
    const mend = engine.hub.fault({ kind: 'cdn' }, { stallAfter: 4 * MEGABYTE })
    const hub = { endpoint: engine.hub.url, concurrency: 8, timeoutMs: 3_000 }
    const refusal = await refusalOf(engine.open({ hub }).get('org/large'))
    expect(refusal).toMatchObject({ code: 'HUB_UNREACHABLE', reason: 'Its download did not end within 3 s.' })
    expect(refusal.nextStep).toContain('`hub.timeout`')
    mend()
    await engine.hub.idle()
    engine.hub.clearRequests()
    await engine.open().get('org/large')
    expect(engine.hub.bytesSent({ kind: 'cdn' })).toBeLessThan(WEIGHTS.length - MEGABYTE)
  })

  test('that exceeds hub.timeout because the Hub cannot be reached is an error that says so', async () => {
    const cause = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9'), { code: 'ECONNREFUSED' })
    const fetch = () => Promise.reject(new TypeError('fetch failed', { cause }))
    // All attempts together take longer than this time limit.
    const hub = { endpoint: engine.hub.url, concurrency: 8, timeoutMs: 1_000 }
    const { reason, nextStep } = await refusalOf(engine.open({ hub, fetch }).get('org/name'))
    expect(reason).toBe(`The Hub at ${engine.hub.url} gave no usable answer within 1 s: ${cause.message}.`)
    expect(nextStep).toContain('HF_ENDPOINT')
  })

  test('may have a time limit that is longer than the longest timer', async () => {
    const hub = { endpoint: engine.hub.url, concurrency: 8, timeoutMs: 30 * 86_400_000 }
    expect((await engine.open({ hub }).get('org/name')).tier).toBe('hub')
  })

  test('is tried again if the Hub does not respond, and then is an error', async () => {
    const mend = engine.hub.fault({ kind: 'api' }, { delayMs: 600_000 }, { times: 1 })
    expect((await engine.open({ stallMs: 1_000 }).get('org/name')).tier).toBe('hub')
    mend()
    engine.hub.fault({ kind: 'api' }, { delayMs: 600_000 })
    const refusal = await refusalOf(engine.open({ stallMs: 100 }).get('org/large'))
    expect(refusal).toMatchObject({ code: 'HUB_UNREACHABLE', reason: expect.stringContaining('stalled') })
  })
})
