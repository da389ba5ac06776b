import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import type { CachedModel } from '../../src/cache/cached-model.ts'
import { Spans } from '../../src/model/spans.ts'
import { Engine, mostAtOnce } from '../support/engine.ts'
import type { LoggedRequest } from '../support/hub/index.ts'

const MEGABYTE = 1 << 20
const WEIGHTS = randomBytes(48 * MEGABYTE)
const FILE = { origin: 'cdn', kind: 'cdn' } as const

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/large', { files: { 'weights.bin': WEIGHTS } })
})

function parts() {
  return engine.hub.requests.filter(({ origin }) => origin === 'cdn')
}

function isFurtherPart({ origin, range }: LoggedRequest): boolean {
  return origin === 'cdn' && /^bytes=[1-9]/.test(range ?? '')
}

/** The bytes of an unfinished download that its note lists as written: a later download can continue from them. */
async function noted(): Promise<number> {
  const names = await readdir(engine.inCache('incoming')).catch(() => [])
  const note = names.find((name) => name.endsWith('.incomplete.json')) ?? 'none'
  const text = await readFile(engine.inCache('incoming', note), 'utf8').catch(() => '{}')
  return new Spans(JSON.parse(text).written).bytes
}

async function expectRight(model: CachedModel): Promise<void> {
  expect(Buffer.compare(await readFile(model.file('weights.bin')), WEIGHTS)).toBe(0)
  expect(await readdir(engine.inCache('incoming'))).toEqual([])
}

test('a large file uses several connections where each is limited, and each byte is sent once', async () => {
  engine.hub.throttle({ perConnection: 20 * MEGABYTE })
  await expectRight(await engine.open().get('org/large'))
  expect(mostAtOnce(parts())).toBeGreaterThanOrEqual(4)
  expect(engine.hub.bytesSent(FILE)).toBe(WEIGHTS.length)
  // The Hub is asked once for the address of the file, not for each part.
  expect(engine.filesAsked).toEqual(['weights.bin'])
})

// The number of connections is not checked: it also depends on the machine.
test('each byte of a large file is sent once where all connections together are limited', async () => {
  engine.hub.throttle({ total: 40 * MEGABYTE })
  await expectRight(await engine.open().get('org/large'))
  expect(engine.hub.bytesSent(FILE)).toBe(WEIGHTS.length)
})

test('all files together use no more connections than the option hub.concurrency allows', async () => {
  engine.hub.addRepo('org/other', { files: { 'a.bin': randomBytes(40 * MEGABYTE), 'b.bin': randomBytes(MEGABYTE) } })
  engine.hub.throttle({ perConnection: 20 * MEGABYTE })
  const cache = engine.open({ hub: { endpoint: engine.hub.url, concurrency: 3 } })
  await Promise.all(['org/large', 'org/other'].map((name) => cache.get(name)))
  expect(mostAtOnce(parts())).toBe(3)
})

test('a download succeeds when further connections fail', async () => {
  engine.hub.throttle({ perConnection: 20 * MEGABYTE })
  engine.hub.fault(isFurtherPart, { status: 503 }, { times: 3 })
  await expectRight(await engine.open().get('org/large'))
  expect(engine.hub.bytesSent(FILE)).toBeLessThan(WEIGHTS.length + 5 * MEGABYTE)
})

test('a server without range requests sends the whole file once', async () => {
  const withoutRange: typeof fetch = (input, init) => {
    const headers = new Headers(init?.headers)
    headers.delete('Range')
    return fetch(input, { ...init, headers })
  }
  await expectRight(await engine.open({ fetch: withoutRange }).get('org/large'))
  expect(engine.hub.bytesSent(FILE)).toBe(WEIGHTS.length)
})

test('an expired address of a file is requested again from the Hub', async () => {
  engine.hub.throttle({ perConnection: 20 * MEGABYTE })
  const isOfFirstAddress = (request: LoggedRequest) => request.query === parts()[0]?.query
  engine.hub.fault((request) => isFurtherPart(request) && isOfFirstAddress(request), { status: 403 })
  await expectRight(await engine.open().get('org/large'))
  expect(engine.filesAsked).toEqual(['weights.bin', 'weights.bin'])
})

test('a download over several connections that was killed is continued by the next process', async () => {
  engine.hub.throttle({ perConnection: 10 * MEGABYTE })
  const asker = await engine.spawn()
  void asker.begin('get', ['org/large'])
  await vi.waitUntil(async () => (await noted()) > 16 * MEGABYTE, { timeout: 200_000 })
  expect(mostAtOnce(parts())).toBeGreaterThan(1)
  await asker.kill()
  engine.hub.throttle({})
  await engine.hub.idle()
  const before = engine.hub.bytesSent(FILE)
  await expectRight(await engine.open().get('org/large'))
  expect(engine.hub.bytesSent(FILE) - before).toBeLessThanOrEqual(WEIGHTS.length - 16 * MEGABYTE)
})
