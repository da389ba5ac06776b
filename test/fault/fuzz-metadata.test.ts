import { expect, onTestFinished, test } from 'vitest'
import { fromRecord, isOfNewerVersion, toRecord } from '../../src/cache/store/entries/record.ts'
import { parseHubPath } from '../../src/model/hub-path.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { DamagedCache } from '../support/damaged-cache.ts'
import { cases, damage, FUZZ_TIMEOUT, hostileJson, mutate, mutation, spoil } from '../support/fuzz.ts'
import fc from '../support/property.ts'

const METADATA = 'cache_metadata.json'
const COMMIT = '0123456789abcdef0123456789abcdef01234567'
const RECORD = {
  modelName: 'org_name',
  originalURL: `https://huggingface.co/org/name/tree/${COMMIT}`,
  checksum: '0'.repeat(64),
  cachedDate: '2026-01-15T10:30:00.000Z',
  lastAccessDate: '2026-01-16T10:30:00.000Z',
  size: 1983,
  version: '1.0',
  isCompressed: false,
  repo: 'org/name',
  revision: 'main',
  commit: COMMIT,
  access: 'public',
  task: 'fill-mask',
  hits: 17,
  pinned: false,
  selections: [{ key: '{}', files: ['config.json'], used: true }],
  files: { 'config.json': { size: 1983, digest: `sha1:${'a'.repeat(40)}`, downloadMs: 84, mtimeMs: 0, ino: '0' } },
}

/** Checks the entry of a record: its names are valid and stay inside the cache, and it can be written and read again. */
function expectSound(record: unknown): void {
  expect(typeof isOfNewerVersion(record)).toBe('boolean')
  const entry = fromRecord(record)
  if (!entry) return
  expect(parseRepoId(entry.repo)).toBe(entry.repo)
  expect(entry.commit).toMatch(/^[0-9a-f]{40}$/)
  const paths = [...entry.files.keys(), ...entry.selections.flatMap(({ files }) => files)]
  for (const path of paths) expect(parseHubPath(path, 'a test')).toBe(path)
  const sizes = [...entry.files.values()].map(({ size }) => size)
  expect(sizes.every((size) => Number.isSafeInteger(size) && size >= 0)).toBe(true)
  expect(fromRecord(JSON.parse(JSON.stringify(toRecord(entry))))).toEqual(entry)
  expect(Reflect.get({}, 'polluted')).toBeUndefined()
}

test('a damaged record gives a valid entry or none', () => {
  fc.assert(
    fc.property(mutation, (changes) => expectSound(JSON.parse(JSON.stringify(mutate(RECORD, changes)) ?? 'null'))),
    cases(3000),
  )
  fc.assert(
    fc.property(hostileJson, (value) => expectSound(value)),
    cases(500),
  )
})

test(
  'a damaged record does not affect other models',
  async () => {
    const damaged = await DamagedCache.start(onTestFinished)
    await damaged.check(40, [mutation, fc.boolean()], async (changes, isFirst) => {
      const [kept, target] = sorted(JSON.parse(await damaged.read(METADATA)))
      const spoiled = mutate(target, changes)
      await damaged.write(METADATA, JSON.stringify(isFirst ? [spoiled, kept] : [kept, spoiled]))
      await damaged.useOffline()
      await damaged.clear()
      await damaged.heal()
    })
  },
  FUZZ_TIMEOUT,
)

test(
  'the metadata may have any content: all models are served with the right files',
  async () => {
    const damaged = await DamagedCache.start(onTestFinished)
    await damaged.check(50, [damage], async (how) => {
      await damaged.write(METADATA, spoil(await damaged.read(METADATA), how))
      await damaged.useOffline()
      await damaged.heal()
    })
  },
  FUZZ_TIMEOUT,
)

function sorted(records: { repo: string }[]): unknown[] {
  return ['org/kept', 'org/target'].map((repo) => records.find((record) => record.repo === repo))
}
