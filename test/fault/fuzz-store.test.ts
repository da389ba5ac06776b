import { readdir, readFile, rm } from 'node:fs/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ModelCache } from '../../src/cache/index.ts'
import { thisProcess } from '../../src/cache/store/locks/owner.ts'
import { ACCESS } from '../../src/model/entry.ts'
import { DamagedCache } from '../support/damaged-cache.ts'
import { sha256 } from '../support/engine.ts'
import { damage, FUZZ_TIMEOUT, spoil, tolerated } from '../support/fuzz.ts'
import fc from '../support/property.ts'

const REPO = 'models--org--target'
const RUN = {
  schemaVersion: 1,
  id: '1-0',
  startedAt: '2026-01-15T10:30:00.000Z',
  project: '/project',
  used: [{ repo: 'org/target', revision: 'main', commit: '', selection: '{}', testFiles: ['a.test.ts'] }],
  report: {},
}

interface StoredFile {
  path: string
  valid: string
  /** Calls the verb that reads the file. */
  use: (cache: ModelCache) => Promise<unknown>
}

/** The files that the store reads, other than the metadata. */
const FILES: [string, (damaged: DamagedCache, commit: string) => Promise<StoredFile>][] = [
  [
    'the commit of a branch',
    async ({ engine }, commit) => {
      const path = engine.inOrigin(REPO, 'refs/main')
      return { path, valid: commit, use: (cache) => cache.has('org/target') }
    },
  ],
  [
    'a stored listing',
    async ({ engine }, commit) => {
      const path = engine.inOrigin(REPO, `trees/${commit}.json`)
      const model = { repo: 'org/target', files: '*.json' }
      return { path, valid: await readFile(engine.inCache(path), 'utf8'), use: (cache) => cache.has(model) }
    },
  ],
  [
    'the access of a repo',
    async ({ engine }, commit) => {
      const path = engine.inOrigin(REPO, `about/${commit}.json`)
      const use = async (cache: ModelCache) => {
        await rm(engine.inCache('cache_metadata.json'), { force: true })
        const [entry] = await cache.list()
        expect(ACCESS).toContain(entry?.access)
      }
      return { path, valid: await readFile(engine.inCache(path), 'utf8'), use }
    },
  ],
  [
    'the new name of a renamed repo',
    async ({ engine }) => {
      const path = engine.inOrigin('renames', encodeURIComponent('org/target'))
      return { path, valid: 'org/kept', use: (cache) => cache.find('org/target') }
    },
  ],
  [
    'the endpoint of a folder',
    async ({ engine }) => {
      const use = async (cache: ModelCache) => {
        await rm(engine.inCache('cache_metadata.json'), { force: true })
        await cache.list()
      }
      return { path: engine.inOrigin('endpoint'), valid: engine.hub.url, use }
    },
  ],
  [
    'the record of a run',
    async () => {
      const path = `runs/1-0.${sha256('/project').slice(0, 12)}.json`
      return { path, valid: JSON.stringify(RUN), use: (cache) => cache.lastRuns('/project', 3) }
    },
  ],
  [
    'the lease of a run',
    async (_, commit) => {
      const valid = JSON.stringify({ ...thisProcess(), entries: [`org/target@${commit}`] })
      return { path: `leases/other.${process.pid}-0.json`, valid, use: (cache) => cache.maintain() }
    },
  ],
]

describe.each(FILES)('%s', (_, find) => {
  let damaged: DamagedCache
  let file: StoredFile

  async function start(): Promise<void> {
    damaged = await DamagedCache.start(onTestFinished)
    file = await find(damaged, await damaged.read(`hub/${REPO}/refs/main`))
  }

  test(
    'may have any content: its verb fails with a ModelCacheError or works',
    async () => {
      await start()
      await damaged.check(400, [damage], async (how) => {
        await damaged.write(file.path, spoil(file.valid, how))
        await tolerated(file.use(damaged.engine.open()))
      })
      await damaged.heal()
    },
    FUZZ_TIMEOUT,
  )

  test(
    'may have any content: the right files are served, and nothing outside the cache is changed',
    async () => {
      await start()
      await damaged.check(10, [damage], async (how) => {
        await damaged.write(file.path, spoil(file.valid, how))
        await damaged.useOffline()
        await damaged.heal()
        await damaged.write(file.path, spoil(file.valid, how))
        await damaged.clear()
        await damaged.heal()
      })
    },
    FUZZ_TIMEOUT,
  )
})

test(
  'cache.json may have any content: cached models are served, and nothing outside the cache is changed',
  async () => {
    const damaged = await DamagedCache.start(onTestFinished)
    const valid = await damaged.read('cache.json')
    await damaged.check(25, [damage], async (how) => {
      await damaged.write('cache.json', spoil(valid, how))
      await damaged.useOffline()
      await damaged.clear()
      await damaged.write('cache.json', valid)
      await damaged.heal()
    })
  },
  FUZZ_TIMEOUT,
)

test(
  'an unfinished download and its note may have any content: the file is downloaded',
  async () => {
    const damaged = await DamagedCache.start(onTestFinished)
    const { engine } = damaged
    const content = 'weights '.repeat(50)
    const left = `incoming/${sha256(content)}.1-0123456789ab.incomplete`
    const valid = JSON.stringify({ ...thisProcess(), pid: 2 ** 22 + 1, etag: `"${sha256(content)}"` })
    const partial = fc.oneof(
      { weight: 9, arbitrary: fc.nat(content.length).map((length) => Buffer.from(content).subarray(0, length)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 500 }) },
    )
    await damaged.check(30, [damage, partial], async (how, bytes) => {
      await engine.open().remove('org/target')
      await damaged.write(left, bytes)
      await damaged.write(`${left}.json`, spoil(valid, how))
      await damaged.heal()
      await rm(engine.inCache(left), { force: true })
      await rm(engine.inCache(`${left}.json`), { force: true })
      expect(await readdir(engine.inCache('incoming'))).toEqual([])
    })
  },
  FUZZ_TIMEOUT,
)
