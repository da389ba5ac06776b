import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CacheOptions } from '../../src/cache/index.ts'
import { printLockFile } from '../../src/model/lock-file.ts'
import { toModel } from '../../src/model/model.ts'
import { contentsOf, Engine, sha256 } from '../support/engine.ts'
import { madeBytes } from '../support/remote/bodies.ts'
import { type Answer, FAULTS, FaultyServer, sendStatus, sendWhole } from '../support/remote/faulty-server.ts'

// More than one file is an object of its own, and the small files are one object.
const FILES = {
  'config.json': '{"version":1}',
  'tokenizer.json': 't'.repeat(300_000),
  'weights.bin': 'weights '.repeat(400_000),
}
const NAMES = ['org/a', 'org/b', 'org/c']
const TOKEN = 'the-token'

const lfsThreshold = 1000

let engine: Engine
let server: FaultyServer
const closing: (() => Promise<void>)[] = []

beforeAll(async () => {
  engine = await Engine.start((close) => closing.push(close))
  for (const name of NAMES) engine.hub.addRepo(name, { files: filesOf(name), lfsThreshold })
  server = await FaultyServer.start((close) => closing.push(close))
  await share(`${server.url}/models`)
})
afterAll(async () => {
  for (const close of closing.reverse()) await close()
})

const filesOf = (name: string) => ({ ...FILES, 'name.txt': name })
const lockfile = () => join(engine.folder, 'models.lock.json')

/** The cache of a machine, and its warnings. */
function machine(name: string, url: string, options: Partial<CacheOptions> = {}) {
  const warnings: string[] = []
  const cache = engine.open({
    cacheDir: join(engine.folder, name),
    remote: { url, timeoutMs: 60_000, uploadPrivate: false },
    env: { HF_HOME: join(engine.folder, 'no login'), MODEL_CACHE_REMOTE_TOKEN: TOKEN },
    onWarning: (warning) => warnings.push(warning),
    ...options,
  })
  return { cache, warnings }
}

/** A machine with all models pushes them. Then there is a lock file. */
async function share(url: string): Promise<void> {
  const { cache } = machine('first', url)
  await cache.warm(NAMES)
  const pushed = await cache.push()
  expect(pushed.map(({ outcome, reason }) => [outcome, reason])).toEqual(NAMES.map(() => ['shared', undefined]))
  const models = await Promise.all(NAMES.map((name) => cache.state(toModel(name))))
  await writeFile(lockfile(), printLockFile({ models }))
  engine.hub.clearRequests()
}

/** A server with the same objects. */
async function copied(): Promise<FaultyServer> {
  const copy = await FaultyServer.start((close) => closing.push(close))
  for (const [path, object] of server.objects) copy.objects.set(path, object)
  return copy
}

let machines = 0

/** An empty machine gets all models, by these tiers. */
async function restore(
  url: string,
  options: Partial<CacheOptions> = {},
): Promise<{ tiers: unknown[]; warnings: string[] }> {
  const { cache, warnings } = machine(`machine ${++machines}`, url, { lockfile: lockfile(), ...options })
  const results = await cache.warm(NAMES)
  const tiers = results.map(async (result, index) => {
    if (!('cached' in result)) throw result.error
    expect(await contentsOf(result.cached)).toEqual(filesOf(NAMES[index] ?? ''))
    return result.cached.tier
  })
  return { tiers: await Promise.all(tiers), warnings }
}

const RESTORED = { tiers: NAMES.map(() => 'remote'), warnings: [] }

describe('an empty machine with a lock file restores what another one pushed, with the Hub off,', () => {
  beforeAll(() => engine.hub.stopListening())
  afterAll(async () => {
    await engine.hub.resumeListening()
    expect(engine.hub.requests).toEqual([])
  })

  test('from a server that knows no conditions', async () => {
    server.requests.length = 0
    expect(await restore(`${server.url}/models`)).toEqual(RESTORED)
    const sent = new Set(server.requests.map(({ headers }) => headers.authorization))
    expect([...sent]).toEqual([`Bearer ${TOKEN}`])
  })

  test('from a server that redirects to another origin, which gets no token', async () => {
    const [home, other] = [await copied(), await FaultyServer.start((close) => closing.push(close))]
    for (const [path, object] of server.objects) other.objects.set(`${path}?signature=secret`, object)
    home.faults.set('GET', (asked, answer) =>
      answer.writeHead(307, { Location: `${other.url}${asked.url}?signature=secret` }).end(),
    )
    expect(await restore(`${home.url}/models`)).toEqual(RESTORED)
    expect(other.requests.length).toBeGreaterThan(3)
    expect(other.requests.filter(({ headers }) => headers.authorization !== undefined)).toEqual([])
  })

  test('from a server that ignores Range, after its process was killed in the middle', async () => {
    const killed = await copied()
    let isHalf: () => void = () => undefined
    const half = new Promise<void>((resolve) => {
      isHalf = resolve
    })
    killed.faults.set('GET', (asked, answer, object = Buffer.alloc(0)) => {
      if (object.length < 1_000_000) return sendWhole(object)(asked, answer, object)
      answer.writeHead(200, { 'Content-Length': object.length })
      answer.write(object.subarray(0, 2_000_000), isHalf)
    })
    const options = {
      cacheDir: join(engine.folder, 'killed'),
      lockfile: lockfile(),
      remote: { url: `${killed.url}/models`, timeoutMs: 60_000, uploadPrivate: false },
    }
    const first = await engine.spawn(options)
    const asked = first.do('get', [NAMES[0] ?? '']).catch(() => undefined)
    await half
    await first.kill()
    await asked
    killed.faults.clear()
    killed.requests.length = 0
    const { given } = await (await engine.spawn(options)).do('get', [NAMES[0] ?? ''])
    expect(given.map(({ tier }) => tier)).toEqual(['remote'])
  })
})

test('a new revision is put together without ranges, too, or comes from the Hub if that takes less', async () => {
  const plain = await FaultyServer.start((close) => closing.push(close))
  const weights = madeBytes(4.5 * 2 ** 20)
  const repository = engine.hub.addRepo('org/revisions', { files: { 'weights.bin': weights }, lfsThreshold })
  const use = (name: string) => machine(name, `${plain.url}/models`, { maxAge: 0 })
  /** Changes the weights at these places. */
  const push = async (places: number[]) => {
    for (const place of places) weights.fill(`changed ${place}`, place * 2 ** 20, place * 2 ** 20 + 1000)
    repository.addCommit({ files: { 'weights.bin': Buffer.from(weights) } })
    await machine('sender', '', { maxAge: 0, remote: undefined }).cache.get('org/revisions')
    plain.faults.clear()
    expect((await use('sender').cache.push()).every(({ outcome }) => outcome === 'shared')).toBe(true)
    // For such a server, differences come from machines that reach it in another way.
    plain.faults.set('GET', (asked, answer, object) =>
      object ? sendWhole(object)(asked, answer, object) : sendStatus(404)(asked, answer, object),
    )
  }
  const get = async (name: string) => {
    const { cache, warnings } = use(name)
    const model = await cache.get('org/revisions')
    expect(weights.equals(await readFile(model.file('weights.bin')))).toBe(true)
    expect(warnings).toEqual([])
    return model.tier
  }
  await push([])
  await get('earlier')
  await push([2])
  expect([await get('earlier'), await get('empty')]).toEqual(['remote', 'remote'])
  await push([1.5, 2.5, 3.5])
  expect([await get('earlier'), await get('other')]).toEqual(['remote', 'hub'])
})

// One status of each kind. The others differ in no step of a restore.
const MET = Object.entries(FAULTS).filter(([name]) => !/^HTTP (401|409|412|416|503)$/.test(name))

test.concurrent.each(MET)(
  'of a remote that sends %s all models come from the Hub, with one warning',
  async (name, fault) => {
    const faulty = await copied()
    faulty.faults.set('GET', fault)
    // A server that hangs is noticed sooner than by default.
    const stallMs = /hangs|no answer/.test(name) ? 500 : undefined
    const { tiers, warnings } = await restore(`${faulty.url}/models`, { stallMs })
    expect(tiers).toEqual(NAMES.map(() => 'hub'))
    expect(warnings.length).toBe(name === 'HTTP 404' ? 0 : 1)
    expect(warnings.join()).not.toContain(TOKEN)
  },
)

test.concurrent.each<[string, Answer]>([
  ...[403, 404, 405, 412, 413, 429].map((status): [string, Answer] => [`HTTP ${status}`, sendStatus(status)]),
  [
    'a redirect to another origin',
    (_asked, answer) => answer.writeHead(307, { Location: 'http://127.0.0.1:9/' }).end(),
  ],
  ['an answer before the end of the upload', (_asked, answer) => answer.writeHead(201).end()],
  ['a connection that breaks', (asked) => asked.socket.destroy()],
  ['no answer', () => undefined],
])('an upload that meets %s leaves nothing wrong, and the next one completes it', async (name, fault) => {
  const faulty = await FaultyServer.start((close) => closing.push(close))
  const url = `${faulty.url}/models`
  let puts = 0
  faulty.faults.set('PUT', (asked, answer, object) =>
    ++puts % 2 === 0 ? fault(asked, answer, object) : faulty.take(asked, answer),
  )
  const { cache, warnings } = machine('first', url, { stallMs: name === 'no answer' ? 500 : undefined })
  const pushed = await cache.push(undefined, { timeLimitMs: 60_000 })
  expect(pushed).toHaveLength(NAMES.length)
  expect(warnings.length).toBe(/40[35]/.test(name) ? 1 : 0)
  faulty.faults.clear()
  const again = await machine('first', url).cache.push()
  expect(again.map(({ outcome }) => outcome)).toEqual(NAMES.map(() => 'shared'))
  for (const [path, object] of server.objects)
    if (!path.endsWith('listing.json')) expect(faulty.objects.get(path)?.equals(object), path).toBe(true)
  for (const [path, object] of faulty.objects) if (path.includes('/sha256/')) expect(path).toContain(sha256(object))
})
