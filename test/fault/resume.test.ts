import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { CachedModel } from '../../src/cache/cached-model.ts'
import type { ErrorCode } from '../../src/model/errors.ts'
import { Engine } from '../support/engine.ts'
import type { Fault } from '../support/hub/index.ts'
import { incompleteBytes } from '../support/incomplete.ts'

const MEGABYTE = 1 << 20
const WEIGHTS = randomBytes(6 * MEGABYTE)
const FILE = { origin: 'cdn', kind: 'cdn' } as const

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/name', { files: { 'weights.bin': WEIGHTS } })
})

/** The bytes of the weights that the server sent, including those that were lost. */
function sent(): number {
  return engine.hub.bytesSent(FILE)
}

function ranges(): (string | undefined)[] {
  return engine.hub.requests.filter(({ origin }) => origin === 'cdn').map(({ range }) => range)
}

async function expectRight(model: CachedModel): Promise<void> {
  expect(Buffer.compare(await readFile(model.file('weights.bin')), WEIGHTS)).toBe(0)
  expect(await readdir(engine.inCache('incoming'))).toEqual([])
}

describe('a broken download', () => {
  test.each<[string, Fault]>([
    ['truncated', { truncate: 4 * MEGABYTE }],
    ['truncated without a Content-Length', { truncate: 4 * MEGABYTE, contentLength: false }],
    ['reset', { reset: 4 * MEGABYTE }],
  ])('is continued from the received bytes if it was %s', async (_, fault) => {
    engine.hub.fault(FILE, fault, { times: 1 })
    await expectRight(await engine.open().get('org/name'))
    expect(ranges()).toEqual([undefined, expect.stringMatching(/^bytes=\d+-$/)])
    // Only the bytes in transit at the failure are sent again. A restart from zero would send 4 MB again.
    expect(sent()).toBeLessThan(WEIGHTS.length + 4 * MEGABYTE)
  })

  test('fails if each attempt has to restart from zero, however many bytes it receives', async () => {
    const withoutRange: typeof fetch = (input, init) => {
      const headers = new Headers(init?.headers)
      headers.delete('Range')
      return fetch(input, { ...init, headers })
    }
    for (let turn = 0; turn < 10; turn++)
      for (const truncate of [MEGABYTE, 4 * MEGABYTE]) engine.hub.fault(FILE, { truncate }, { times: 1 })
    const refused = engine.open({ fetch: withoutRange }).get('org/name')
    await expect(refused).rejects.toMatchObject({ code: 'BROKEN_DOWNLOAD' })
    expect(ranges().length).toBeLessThan(10)
  })

  test('is interrupted and continued if it stalls', async () => {
    engine.hub.fault(FILE, { stallAfter: 4 * MEGABYTE }, { times: 1 })
    await expectRight(await engine.open({ stallMs: 1_000 }).get('org/name'))
    expect(ranges().slice(0, 2)).toEqual([undefined, expect.stringMatching(/^bytes=\d+-$/)])
    expect(sent()).toBeLessThan(WEIGHTS.length + 4 * MEGABYTE)
  })

  test('is interrupted and continued if it is too slow', async () => {
    engine.hub.fault(FILE, { bytesPerSecond: 500 }, { times: 1 })
    await expectRight(await engine.open({ stallMs: 1_000 }).get('org/name'))
    expect(ranges().length).toBeGreaterThan(1)
  })

  test('succeeds after many failures if each attempt makes progress', async () => {
    engine.hub.fault(FILE, { truncate: MEGABYTE })
    await expectRight(await engine.open().get('org/name'))
    expect(ranges()).toHaveLength(6)
    expect(sent()).toBe(WEIGHTS.length)
  })

  test.each<[string, Fault, ErrorCode]>([
    ['closed', { truncate: MEGABYTE / 2 }, 'BROKEN_DOWNLOAD'],
    ['ended without an error', { truncate: MEGABYTE / 2, contentLength: false }, 'BROKEN_DOWNLOAD'],
  ])('is an error if every attempt was %s early, and the next run continues it', async (_, fault, code) => {
    const mend = engine.hub.fault(FILE, fault)
    const nextStep = expect.stringContaining('he next run')
    await expect(engine.open().get('org/name')).rejects.toMatchObject({ code, nextStep })
    expect(ranges()).toHaveLength(5)
    mend()
    engine.hub.clearRequests()
    await expectRight(await engine.open().get('org/name'))
    expect(sent()).toBeLessThan(WEIGHTS.length - 2 * MEGABYTE)
  })
})

describe('an unfinished download', () => {
  /** Aborts a cold get after two megabytes. */
  async function leave(): Promise<void> {
    engine.hub.throttle({ perConnection: 20 * MEGABYTE })
    const controller = new AbortController()
    const onProgress = ({ receivedBytes }: { receivedBytes: number }) => {
      if (receivedBytes > 2 * MEGABYTE) controller.abort(new Error('enough'))
    }
    await expect(engine.open().get('org/name', { signal: controller.signal, onProgress })).rejects.toThrow('enough')
    engine.hub.throttle({})
  }

  test('of an aborted call is continued by the next call', async () => {
    await leave()
    await engine.hub.idle()
    const before = sent()
    await expectRight(await engine.open().get('org/name'))
    expect(ranges().at(-1)).toMatch(/^bytes=\d+-$/)
    expect(sent() - before).toBeLessThanOrEqual(WEIGHTS.length - 2 * MEGABYTE)
  })

  test('is not visible as a model', async () => {
    await leave()
    expect(await engine.open().list()).toEqual([])
    expect((await engine.listing('hub')).filter((path) => /\/(blobs|snapshots)\//.test(path))).toEqual([])
  })

  test('of a killed process is continued by the next process', async () => {
    const mend = engine.hub.fault(FILE, { stallAfter: 4 * MEGABYTE })
    const asker = await engine.spawn()
    void asker.begin('get', ['org/name'])
    await vi.waitFor(async () => expect(await incompleteBytes(engine.cacheDir)).toBeGreaterThan(2 * MEGABYTE), {
      timeout: 200_000,
      interval: 20,
    })
    await asker.kill()
    mend()
    await engine.hub.idle()
    const before = sent()
    await expectRight(await engine.open().get('org/name'))
    expect(sent() - before).toBeLessThan(WEIGHTS.length - MEGABYTE)
  })

  test('with wrong bytes is downloaded again from zero', async () => {
    await leave()
    const [partial] = (await readdir(engine.inCache('incoming'))).filter((name) => name.endsWith('.incomplete'))
    await writeFile(engine.inCache('incoming', String(partial)), randomBytes(3 * MEGABYTE))
    await expectRight(await engine.open().get('org/name'))
  })

  test('of content that has changed on the server is downloaded again from zero', async () => {
    await leave()
    const [note] = (await readdir(engine.inCache('incoming'))).filter((name) => name.endsWith('.json'))
    await writeFile(engine.inCache('incoming', String(note)), JSON.stringify({ etag: '"another content"' }))
    engine.hub.clearRequests()
    await expectRight(await engine.open().get('org/name'))
    // The If-Range condition failed, so the server sent the whole file in the same response.
    expect(ranges()).toHaveLength(1)
    expect(sent()).toBe(WEIGHTS.length)
  })
})
