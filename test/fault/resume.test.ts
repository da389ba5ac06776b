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

/** Bytes of the weights that were sent, whatever became of them. */
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

describe('a download that broke', () => {
  test.each<[string, Fault]>([
    ['was cut off', { truncate: 4 * MEGABYTE }],
    ['was cut off without a length', { truncate: 4 * MEGABYTE, contentLength: false }],
    ['was reset', { reset: 4 * MEGABYTE }],
  ])('goes on where it stood: it %s', async (_, fault) => {
    engine.hub.fault(FILE, fault, { times: 1 })
    await expectRight(await engine.open().get('org/name'))
    expect(ranges()).toEqual([undefined, expect.stringMatching(/^bytes=\d+-$/)])
    // What was on its way when the connection went is lost; all that was sent before would be if it began anew.
    expect(sent()).toBeLessThan(WEIGHTS.length + 4 * MEGABYTE)
  })

  test('is given up where each try begins anew, however far it comes', async () => {
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

  test('by standing still is given up, and goes on', async () => {
    engine.hub.fault(FILE, { stallAfter: 4 * MEGABYTE }, { times: 1 })
    await expectRight(await engine.open({ stallMs: 1_000 }).get('org/name'))
    expect(ranges().slice(0, 2)).toEqual([undefined, expect.stringMatching(/^bytes=\d+-$/)])
    expect(sent()).toBeLessThan(WEIGHTS.length + 4 * MEGABYTE)
  })

  test('by a trickle is given up, and goes on', async () => {
    engine.hub.fault(FILE, { bytesPerSecond: 500 }, { times: 1 })
    await expectRight(await engine.open({ stallMs: 1_000 }).get('org/name'))
    expect(ranges().length).toBeGreaterThan(1)
  })

  test('again and again, and comes further each time, arrives in the end', async () => {
    engine.hub.fault(FILE, { truncate: MEGABYTE })
    await expectRight(await engine.open().get('org/name'))
    expect(ranges()).toHaveLength(6)
    expect(sent()).toBe(WEIGHTS.length)
  })

  test.each<[string, Fault, ErrorCode]>([
    ['closed', { truncate: MEGABYTE / 2 }, 'BROKEN_DOWNLOAD'],
    ['ended as if all was well', { truncate: MEGABYTE / 2, contentLength: false }, 'BROKEN_DOWNLOAD'],
  ])('in every try, %s, is an error, and the next run goes on with what came', async (_, fault, code) => {
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

describe('a download that was left', () => {
  /** Aborts a cold get when two megabytes have come. */
  async function leave(): Promise<void> {
    engine.hub.throttle({ perConnection: 20 * MEGABYTE })
    const controller = new AbortController()
    const onProgress = ({ receivedBytes }: { receivedBytes: number }) => {
      if (receivedBytes > 2 * MEGABYTE) controller.abort(new Error('enough'))
    }
    await expect(engine.open().get('org/name', { signal: controller.signal, onProgress })).rejects.toThrow('enough')
    engine.hub.throttle({})
  }

  test('by its caller is gone on with by the next', async () => {
    await leave()
    await engine.hub.idle()
    const before = sent()
    await expectRight(await engine.open().get('org/name'))
    expect(ranges().at(-1)).toMatch(/^bytes=\d+-$/)
    expect(sent() - before).toBeLessThanOrEqual(WEIGHTS.length - 2 * MEGABYTE)
  })

  test('is never seen as a model', async () => {
    await leave()
    expect(await engine.open().list()).toEqual([])
    expect((await engine.listing('hub')).filter((path) => /\/(blobs|snapshots)\//.test(path))).toEqual([])
  })

  test('by a process that was killed is gone on with by the next', async () => {
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

  test('with bytes that are not the file is begun anew', async () => {
    await leave()
    const [partial] = (await readdir(engine.inCache('incoming'))).filter((name) => name.endsWith('.incomplete'))
    await writeFile(engine.inCache('incoming', String(partial)), randomBytes(3 * MEGABYTE))
    await expectRight(await engine.open().get('org/name'))
  })

  test('of a content that the server has no more is begun anew', async () => {
    await leave()
    const [note] = (await readdir(engine.inCache('incoming'))).filter((name) => name.endsWith('.json'))
    await writeFile(engine.inCache('incoming', String(note)), JSON.stringify({ etag: '"another content"' }))
    engine.hub.clearRequests()
    await expectRight(await engine.open().get('org/name'))
    // The condition failed, so the server sent all of it at once.
    expect(ranges()).toHaveLength(1)
    expect(sent()).toBe(WEIGHTS.length)
  })
})
