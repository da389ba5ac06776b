import { randomBytes } from 'node:crypto'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import type { CacheProcess } from '../support/cache-process/index.ts'
import { Engine, sha256 } from '../support/engine.ts'
import type { LoggedRequest } from '../support/hub/index.ts'

// `npm run soak` uses sixteen processes, and several rounds.
const CROWD = Number(process.env.CROWD ?? 6)
const CROWDS = Number(process.env.CROWDS ?? 1)
const AT_ONCE = 4
const MEGABYTE = 1 << 20

/** Four models, each with files that the Hub serves itself and files that its CDN serves. */
const MODELS = Object.fromEntries(
  ['org/one', 'org/two', 'org/three', 'org/four'].map((name, index) => [
    name,
    {
      'config.json': JSON.stringify({ name }),
      'vocab.txt': randomBytes(2_000 + index).toString('hex'),
      'small.bin': randomBytes(100_000 + index),
      'weights.bin': randomBytes(3 * MEGABYTE + index),
    },
  ]),
)
const NAMES = Object.keys(MODELS)
const FILES = NAMES.flatMap((name) => Object.values(MODELS[name] ?? {}))
const TOTAL = FILES.reduce((sum, content) => sum + content.length, 0)
const OF_HUB = FILES.filter((content) => typeof content === 'string').reduce((sum, { length }) => sum + length, 0)

const CONTENTS = Object.fromEntries(
  Object.entries(MODELS).map(([name, files]) => [
    name,
    Object.fromEntries(Object.entries(files).map(([path, content]) => [path, sha256(content)])),
  ]),
)

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  for (const [name, files] of Object.entries(MODELS)) engine.hub.addRepo(name, { files })
  // The transfer takes about two thirds of a second, so that all processes make their request before it ends.
  engine.hub.throttle({ total: 20 * MEGABYTE, latencyMs: 5 })
})

function gather(): Promise<CacheProcess[]> {
  const names = Array.from({ length: CROWD }, (_, index) => `process ${index}`)
  return Promise.all(names.map((userAgent) => engine.spawn({ userAgent, concurrency: AT_ONCE })))
}

/** The models by name, with the digests of the files that the process read. */
async function contentsFor(process: CacheProcess): Promise<unknown> {
  const { given, errors } = await process.do('warm', NAMES)
  expect(errors).toEqual([])
  return Object.fromEntries(given.map(({ repo, contents }) => [repo, contents]))
}

function bodies(): LoggedRequest[] {
  return engine.hub.requests.filter(({ kind, status }) => kind === 'cdn' || (kind === 'resolve' && status < 300))
}

function sent(requests: LoggedRequest[]): number {
  return requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0)
}

const fileOf = ({ repo, file }: LoggedRequest) => `${repo} ${file}`

test.each(Array.from({ length: CROWDS }, (_, index) => index + 1))(
  `${CROWD} processes that request four cold models download each byte once (round %i)`,
  async () => {
    const crowd = await gather()
    const found = await Promise.all(crowd.map(contentsFor))
    expect(found).toEqual(crowd.map(() => CONTENTS))
    expect(sent(bodies())).toBe(TOTAL)
    expect(sent(bodies().filter(({ kind }) => kind === 'resolve'))).toBe(OF_HUB)
    expect(new Set(bodies().map(fileOf)).size).toBe(bodies().length)
    expect(await engine.open().list()).toHaveLength(NAMES.length)
  },
)

test.each(Array.from({ length: CROWDS }, (_, index) => index + 1))(
  `if one of ${CROWD} processes is killed at a random byte, only its unfinished files are downloaded again (round %i)`,
  async () => {
    const crowd = await gather()
    // The process that starts first holds the locks, so it is the one to kill: the others only wait.
    const [victim, ...others] = crowd
    const doomed = victim?.begin('warm', NAMES)
    await engine.hub.waitForRequest()
    const found = Promise.all(others.map(contentsFor))
    const bytes = Math.random() * TOTAL
    await vi.waitUntil(() => sent(bodies()) >= bytes, { timeout: 200_000, interval: 5 })
    await victim?.kill()
    await doomed
    expect(await found).toEqual(others.map(() => CONTENTS))
    await engine.hub.idle()

    const ofVictim = bodies().filter(({ userAgent }) => userAgent === 'process 0')
    const ofOthers = bodies().filter((request) => !ofVictim.includes(request))
    expect(new Set(ofOthers.map(fileOf)).size).toBe(ofOthers.length)
    const again = ofVictim.filter((request) => ofOthers.some((other) => fileOf(other) === fileOf(request)))
    expect(again.length).toBeLessThanOrEqual(AT_ONCE)
    expect(sent(bodies())).toBeGreaterThanOrEqual(TOTAL)
    expect(sent(bodies())).toBeLessThanOrEqual(TOTAL + sent(again))
    expect(engine.warnings).toEqual([])
  },
)
