import { link, mkdir, stat, utimes, writeFile } from 'node:fs/promises'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { Instant } from '../support/cache-process/index.ts'
import { contentsOf, Engine, sha256 } from '../support/engine.ts'

const DAY_MS = 86_400_000
const SHARED = 'a tokenizer of many words '.repeat(2_000)
const REPOS = ['org/one', 'org/two', 'org/three']

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  for (const repo of REPOS) {
    const files = {
      'config.json': `{"${repo}":1}`,
      'tokenizer.bin': Buffer.concat([Buffer.from([0]), Buffer.from(SHARED)]),
    }
    engine.hub.addRepo(repo, { files })
    await engine.open().get(repo)
  }
  engine.hub.clearRequests()
})

const blobOf = (repo: string) =>
  engine.inCache(
    'hub',
    `models--${repo.replace('/', '--')}`,
    'blobs',
    sha256(Buffer.concat([Buffer.from([0]), Buffer.from(SHARED)])),
  )

async function inodes(): Promise<number[]> {
  return Promise.all(REPOS.map(async (repo) => (await stat(blobOf(repo))).ino))
}

/** Checks that all models are served from disk, and that no digest was computed. */
async function expectServed(): Promise<void> {
  const cache = engine.open()
  for (const repo of REPOS) {
    const model = await cache.get(repo)
    expect(model.tier).toBe('disk')
    expect((await contentsOf(model))['tokenizer.bin']).toBe(`\0${SHARED}`)
  }
  expect(engine.hub.requests).toEqual([])
  expect(engine.decisions.filter((line) => line.startsWith('Validation'))).toEqual([])
}

describe('a file that several models have', () => {
  test('becomes one file on disk, is counted once, and is served without being verified again', async () => {
    const before = await engine.open().statistics()
    const { linked, freedBytes } = await engine.open().optimize()
    expect(linked).toEqual({ files: 2, bytes: 2 * (SHARED.length + 1) })
    expect(freedBytes).toBe(linked.bytes)
    expect(new Set(await inodes()).size).toBe(1)
    await expectServed()
    expect((await engine.open().verify()).problems).toEqual([])
    expect(before.size - (await engine.open().statistics()).size).toBe(linked.bytes)
    expect(await engine.open().status()).toMatchObject({ shared: linked })
    expect((await engine.open().optimize()).linked).toEqual({ files: 0, bytes: 0 })
  })

  test('is removed with the last of these models', async () => {
    await engine.open().optimize()
    expect((await engine.open().remove('org/one')).freedBytes).toBe('{"org/one":1}'.length)
    expect((await engine.open().remove('org/two', 'org/three')).freedBytes).toBeGreaterThan(SHARED.length)
  })

  test('is not linked in a model that a live run uses', async () => {
    const run = engine.open({ run: { id: 'live', pid: process.pid } })
    await run.claim(...(await run.find('org/two')))
    const [, two] = await inodes()
    await engine.open().optimize()
    const [one, after, three] = await inodes()
    expect([after, one]).toEqual([two, three])
    expect(after).not.toBe(one)
    await run.endRun()
  })

  test('does not replace others when it is damaged', async () => {
    // Without the damage, the file with the most hard links would replace the others.
    await link(blobOf('org/one'), engine.inCache('another name'))
    const { mtime } = await stat(blobOf('org/one'))
    await import('node:fs/promises').then(({ chmod }) => chmod(blobOf('org/one'), 0o644))
    await writeFile(blobOf('org/one'), `\0${SHARED.replace('many', 'MANY')}`)
    await utimes(blobOf('org/one'), mtime, mtime)
    await engine.open().optimize()
    expect(new Set(await inodes()).size).toBe(3)
    const { problems } = await engine.open().verify()
    expect(problems.map(({ repo, path, what }) => [repo, path, what])).toEqual([
      ['org/one', 'tokenizer.bin', 'wrong digest'],
    ])
  })

  test('survives a kill at any instant', async () => {
    const instants: Instant[] = [
      { step: 2, when: 'before' },
      { step: 6, when: 'after' },
      { step: 12, when: 'torn' },
      { step: 20, when: 'before' },
      { step: 30, when: 'after' },
    ]
    const victims = await Promise.all(instants.map(async (instant) => ({ instant, victim: await engine.spawn() })))
    for (const { instant, victim } of victims) {
      await victim.begin('optimize', [], 1, instant)
      expect(victim.isGone, `step ${instant.step}`).toBe(true)
      await victim.kill()
      expect((await engine.open().verify()).problems).toEqual([])
    }
    await engine.open().optimize()
    expect(new Set(await inodes()).size).toBe(1)
    // A kill can leave a file without a recorded stamp. It is verified once, and not downloaded.
    for (const repo of REPOS) expect((await engine.open().get(repo)).tier).toBe('disk')
    expect(engine.hub.requests).toEqual([])
    // A temporary file of a lock is removed a day later.
    expect((await engine.listing('incoming')).filter((name) => !name.endsWith('.tmp'))).toEqual([])
  })
})

describe('optimize', () => {
  test('removes old unfinished downloads and unreferenced blobs', async () => {
    const old = engine.inCache('incoming', `${sha256('old')}.1-0123456789ab.incomplete`)
    await writeFile(old, 'x'.repeat(8192))
    const then = Date.now() / 1000 - 2 * 86_400
    await utimes(old, then, then)
    await writeFile(engine.inCache('hub/models--org--one/blobs', sha256('orphan')), 'orphan')
    expect((await engine.open().optimize({ dryRun: true, aloneForMs: 0 })).orphans).toEqual({ files: 1, bytes: 6 })
    const { leftovers, orphans } = await engine.open().optimize({ aloneForMs: 0 })
    expect([leftovers, orphans]).toEqual([
      { files: 1, bytes: 8192 },
      { files: 1, bytes: 6 },
    ])
    expect(await engine.listing('incoming')).toEqual([])
  })

  test('removes models that are expired or over the limit, and keeps pinned ones', async () => {
    await engine.setRecord('org/one', { lastAccessDate: new Date(Date.now() - 9 * DAY_MS).toISOString() })
    await engine.open().pin(await engine.open().find('org/two'))
    const { expired, evicted, modelBytes } = await engine.open({ maxSize: SHARED.length * 1.5 }).optimize()
    expect(expired.entries.map(({ repo }) => repo)).toEqual(['org/one'])
    expect(evicted.entries.map(({ repo }) => repo)).toEqual(['org/three'])
    expect(modelBytes).toBeGreaterThan(2 * SHARED.length)
    expect((await engine.open().list()).map(({ repo }) => repo)).toEqual(['org/two'])
  })

  test('drops records of models that are gone, and invalid records', async () => {
    const { rm } = await import('node:fs/promises')
    await rm(engine.inCache('hub/models--org--three'), { recursive: true })
    await writeFile(engine.inCache('cache_metadata.json'), JSON.stringify([...(await engine.records()), { repo: 5 }]))
    expect((await engine.open().optimize()).bookkeeping.files).toBe(1)
    expect((await engine.records()).map(({ repo }) => repo)).toEqual(['org/one', 'org/two'])
  })

  test('with `dryRun` returns what it would free, and changes nothing', async () => {
    const before = await Promise.all(
      (await engine.listing()).map(async (path) => [path, (await stat(engine.inCache(path))).ino]),
    )
    const { linked, freedBytes } = await engine.open().optimize({ dryRun: true })
    expect([linked.files, freedBytes]).toEqual([2, 2 * (SHARED.length + 1)])
    const after = await Promise.all(
      (await engine.listing()).map(async (path) => [path, (await stat(engine.inCache(path))).ino]),
    )
    expect(after).toEqual(before)
  })

  test('creates nothing in an empty folder', async () => {
    const cacheDir = engine.inCache('nothing here')
    await mkdir(cacheDir)
    expect(await engine.open({ cacheDir }).optimize()).toMatchObject({ freedBytes: 0 })
    expect(await engine.listing('nothing here')).toEqual([])
  })
})
