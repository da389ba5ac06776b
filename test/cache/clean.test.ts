import { mkdir, readdir, utimes, watch, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Cleaned, CleanOptions } from '../../src/cache/index.ts'
import { Layout } from '../../src/cache/store/layout.ts'
import { withLock } from '../../src/cache/store/locks/lock.ts'
import { thisProcess } from '../../src/cache/store/locks/owner.ts'
import { Engine, sha256 } from '../support/engine.ts'
import { type SketchedModel, writeCache } from '../support/many-models.ts'

const DAY_MS = 86_400_000

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
})

async function withModels(...models: Omit<SketchedModel, 'files'>[]): Promise<void> {
  const files = ({ repo }: { repo: string }) => ({ 'config.json': repo, 'shared.json': 'the same' })
  await writeCache(
    engine.cacheDir,
    models.map((model) => ({ ...model, files: files(model) })),
  )
}

/** Records a run of a project, so many days ago, that used these repos. */
async function recordRun(project: string, daysAgo: number, ...repos: string[]): Promise<void> {
  const cache = engine.open()
  const used = (await cache.list()).filter(({ repo }) => repos.includes(repo))
  const time = Date.now() - daysAgo * DAY_MS
  await cache.recordRun({
    ...{ schemaVersion: 1, id: `${time.toString(36)}-1-abc-1-0`, startedAt: new Date(time).toISOString(), project },
    used: used.map(({ repo, revision, commit }) => ({ repo, revision, commit, selection: '{}', testFiles: [] })),
  })
}

async function clean(options?: CleanOptions) {
  const cleaned = await engine.open().clean(options)
  return { ...cleaned, removed: namesOf(cleaned), left: (await engine.open().list()).map(({ repo }) => String(repo)) }
}

function namesOf({ removed }: Cleaned): string[] {
  return removed.map(({ repo }) => String(repo))
}

describe('clean', () => {
  test('removes a model whose lock is left from a loss of power', async () => {
    await withModels({ repo: 'org/emptied' }, { repo: 'org/left' }, { repo: 'org/fresh' })
    const { host } = thisProcess()
    const owner = JSON.stringify({ id: 'left', pid: process.pid, host, started: 'an earlier boot 1' })
    for (const [name, content, ageSeconds] of [
      ['emptied', '', 7200],
      ['left', owner, 7200],
      ['fresh', owner, 60],
    ] as const) {
      const lock = engine.inCache('incoming', `org%2F${name}.lock`)
      await writeFile(lock, content)
      const time = Date.now() / 1000 - ageSeconds
      await utimes(lock, time, time)
    }
    expect((await clean()).removed).toEqual(['org/emptied', 'org/left'])
  })

  test('removes all models but pinned ones and those of live runs, and gives the reasons', async () => {
    await withModels({ repo: 'org/free' }, { repo: 'org/pinned', pinned: true }, { repo: 'org/used' })
    const run = engine.open({ run: { id: 'live', pid: process.pid } })
    await run.claim(...(await run.find('org/used')))
    const { removed, kept, left } = await clean()
    expect(removed).toEqual(['org/free'])
    expect(kept.map(({ entry, why }) => [entry.repo, why])).toEqual([
      ['org/pinned', 'pinned'],
      ['org/used', 'in use'],
    ])
    expect(left).toEqual(['org/pinned', 'org/used'])
    expect(await readdir(engine.inCache('hub'))).toEqual(['models--org--pinned', 'models--org--used'])
    expect((await clean({ pinned: true })).removed).toEqual(['org/pinned'])
    await run.endRun()
    expect((await clean()).left).toEqual([])
  })

  test('with `olderThan` removes models of that age, with `expired` those beyond `maxAge`', async () => {
    await withModels({ repo: 'org/a', idleDays: 1 }, { repo: 'org/b', idleDays: 5 }, { repo: 'org/c', idleDays: 9 })
    expect((await clean({ olderThan: 4 * DAY_MS, dryRun: true })).removed).toEqual(['org/b', 'org/c'])
    expect(await clean({ expired: true })).toMatchObject({ removed: ['org/c'], left: ['org/a', 'org/b'] })
  })

  test('with `unusedRuns` removes models that none of the last runs of any project used', async () => {
    await withModels(...['a', 'b', 'c', 'd'].map((name) => ({ repo: `org/${name}`, idleDays: 20 })))
    await recordRun('/one', 3, 'org/a')
    await recordRun('/one', 2, 'org/b')
    // This project has not run for longer. Its models are kept all the same.
    await recordRun('/other', 10, 'org/c')
    expect((await clean({ unusedRuns: 2, dryRun: true })).removed).toEqual(['org/d'])
    expect(await clean({ unusedRuns: 1 })).toMatchObject({ removed: ['org/a', 'org/d'], runs: 2 })
  })

  test('with `unusedRuns` keeps models newer than the last run, and all models when no run is recorded', async () => {
    await withModels({ repo: 'org/new', idleDays: 1 }, { repo: 'org/old', idleDays: 9 })
    expect(await clean({ unusedRuns: 5 })).toMatchObject({ removed: [], runs: 0 })
    await recordRun('/one', 3)
    expect((await clean({ unusedRuns: 5 })).removed).toEqual(['org/old'])
  })

  test('with `incomplete` removes unfinished downloads without a live writer', async () => {
    await withModels({ repo: 'org/model' })
    const place = async (name: string, note: object | undefined, minutes: number) => {
      const path = engine.inCache('incoming', `${sha256(name)}.99999999-0123456789ab.incomplete`)
      await mkdir(join(path, '..'), { recursive: true })
      await writeFile(path, 'x'.repeat(4096))
      if (note) await writeFile(`${path}.json`, JSON.stringify(note))
      const then = Date.now() / 1000 - 60 * minutes
      await utimes(path, then, then)
      return path
    }
    await place('abandoned', { etag: '"e"' }, 0)
    await place('silent', undefined, 20)
    const held = [await place('young', undefined, 0), await place('elsewhere', { pid: 1, host: 'another' }, 0)]
    const cleaned = await clean({ incomplete: true })
    expect(cleaned).toMatchObject({ removed: [], incomplete: { files: 2 }, incompleteHeld: 2, left: ['org/model'] })
    const left = (await engine.listing('incoming')).filter((name) => name.endsWith('.incomplete'))
    expect(left.map((name) => engine.inCache('incoming', name)).sort()).toEqual(held.sort())
  })

  test('with `dryRun` returns what it would remove, and changes nothing', async () => {
    await withModels({ repo: 'org/a' }, { repo: 'org/b' })
    const before = await engine.listing()
    const planned = await clean({ dryRun: true })
    expect(await engine.listing()).toEqual(before)
    expect(await clean()).toMatchObject({ removed: planned.removed, freedBytes: planned.freedBytes })
    expect(planned.freedBytes).toBe('org/aorg/b'.length + 2 * 'the same'.length)
  })

  test('ends between models when it is aborted, and the next call removes the rest', async () => {
    await withModels(...Array.from({ length: 60 }, (_, index) => ({ repo: `org/model-${index}` })))
    await expect(engine.open().clean({ signal: AbortSignal.abort() })).rejects.toThrow(/abort/)
    expect((await clean()).removed).toHaveLength(60)
  })
})

test('removing many models by name writes the metadata a few times, and waits for a model whose lock is held', async () => {
  await withModels(...Array.from({ length: 60 }, (_, index) => ({ repo: `org/model-${index}` })))
  const layout = new Layout(engine.cacheDir)
  const [busy, ...others] = await engine.open().list()
  if (!busy) throw new Error('There is no model')
  const endWatch = new AbortController()
  const writes = countWrites(endWatch.signal)
  await withLock(layout.lock(busy.repo), async () => {
    const removing = engine.open().remove(busy, ...others)
    await vi.waitFor(async () => expect(await engine.open().list()).toEqual([busy]), 200_000)
    // Now only the locked model is left, and `remove` waits for it.
    void removing.then(() => endWatch.abort())
  })
  expect(await writes).toBeLessThan(20)
  expect(await engine.open().list()).toEqual([])
})

/** Counts how often the metadata is replaced until the signal is aborted. */
async function countWrites(signal: AbortSignal): Promise<number> {
  let count = 0
  try {
    for await (const { filename } of watch(engine.cacheDir, { signal })) if (filename === 'cache_metadata.json') count++
  } catch {
    // The signal was aborted.
  }
  return count
}

test('after `clean` was killed, all listed models are sound, and the next `clean` removes the rest', async () => {
  for (const step of [30, 200]) {
    await withModels(...Array.from({ length: 55 }, (_, index) => ({ repo: `org/model-${index}` })))
    const victim = await engine.spawn()
    await victim.begin('clean', [], 1, { step, when: 'before' })
    expect(victim.isGone).toBe(true)
    await victim.kill()
    const cache = engine.open()
    expect((await cache.verify()).problems).toEqual([])
    // A model that lost its record but not its files is found again.
    await cache.maintain()
    await cache.clean()
    expect(await engine.listing('hub')).toEqual([])
  }
  expect(engine.warnings).toEqual([])
})
