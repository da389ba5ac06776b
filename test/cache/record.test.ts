import { describe, expect, test } from 'vitest'
import { fromRecord, isOfNewerVersion, toRecord } from '../../src/cache/store/entries/record.ts'
import { ACCESS, type Entry, type EntryFile, entryChecksum, entrySize } from '../../src/model/entry.ts'
import { type HubPath, parseHubPath } from '../../src/model/hub-path.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { parseCommit } from '../../src/model/revision.ts'
import { snapshotBeside, snapshotOf } from '../../src/model/snapshot.ts'
import fc from '../support/property.ts'

const COMMIT = parseCommit('0123456789abcdef0123456789abcdef01234567', 'a test')

const date = fc
  .date({ min: new Date(0), max: new Date('9999-01-01T00:00:00.000Z'), noInvalidDate: true })
  .map((moment) => moment.toISOString())
const path = fc
  .array(fc.stringMatching(/^[a-z_]{1,8}(\.json)?$/), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join('/'))
  .filter((text) => !['__proto__', 'constructor', 'prototype'].includes(text) && isSafe(text))
const digest = fc.oneof(
  fc.stringMatching(/^[0-9a-f]{64}$/).map((hex): EntryFile['digest'] => `sha256:${hex}`),
  fc.stringMatching(/^[0-9a-f]{40}$/).map((hex): EntryFile['digest'] => `sha1:${hex}`),
)
const entryFile: fc.Arbitrary<EntryFile> = fc.record({
  size: fc.nat(),
  digest,
  downloadMs: fc.option(fc.double({ min: 0, max: 1e9, noNaN: true })),
  mtimeMs: fc.double({ min: 0, max: 1e13, noNaN: true }),
  ino: fc.bigInt({ min: 0n, max: 2n ** 64n }).map(String),
})
const parts = fc.record(
  {
    repo: fc.constantFrom('org/name', 'gpt2', '__proto__', 'constructor').map(parseRepoId),
    revision: fc.constantFrom('main', 'v1.0', 'refs/pr/1', COMMIT),
    commit: fc.constant(COMMIT),
    endpoint: fc.constantFrom(undefined, 'https://huggingface.co', 'http://127.0.0.1:8080/base'),
    access: fc.constantFrom(...ACCESS),
    task: fc.string(),
    cachedDate: date,
    lastAccessDate: date,
    hits: fc.nat(),
    pinned: fc.boolean(),
    selections: fc.array(fc.record({ key: fc.string(), files: fc.array(path.map(hubPath)), used: fc.boolean() }), {
      maxLength: 3,
    }),
    files: fc
      .uniqueArray(fc.tuple(path.map(hubPath), entryFile), { selector: ([name]) => name, maxLength: 4 })
      .map((files): Map<HubPath, EntryFile> => new Map(files)),
  },
  {
    requiredKeys: [
      ...(['repo', 'revision', 'commit', 'endpoint', 'access', 'cachedDate', 'lastAccessDate'] as const),
      ...(['hits', 'pinned', 'selections', 'files'] as const),
    ],
  },
)

const entry: fc.Arbitrary<Entry> = fc.tuple(parts, fc.boolean()).map(([each, isFirst]) => ({
  ...each,
  snapshot: isFirst ? snapshotOf(each.commit) : snapshotBeside(each.commit, each.endpoint),
}))

function hubPath(text: string): HubPath {
  return parseHubPath(text, 'a test')
}

function isSafe(text: string): boolean {
  try {
    return hubPath(text) === text
  } catch {
    return false
  }
}

/** The value after it was written to a file and read again. */
function json(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

const VALID = {
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
  hits: 17,
  pinned: false,
  selections: [{ key: '{}', files: ['config.json'], used: true }],
  files: {
    'config.json': { size: 1983, digest: `sha1:${'a'.repeat(40)}`, downloadMs: 84, mtimeMs: 0, ino: '0' },
  },
}

describe('a record', () => {
  test('is read as the entry that it was made of', () => {
    fc.assert(
      fc.property(entry, (original) => {
        expect(fromRecord(json(toRecord(original)))).toEqual(original)
      }),
    )
  })

  test('has the eight promised fields, and further ones', () => {
    const read = fromRecord(VALID)
    if (!read) throw new Error('The record was not read')
    expect(new Set(Object.keys(toRecord(read)))).toEqual(new Set(Object.keys(VALID)))
    expect(toRecord(read)).toMatchObject({
      modelName: 'org_name',
      originalURL: `https://huggingface.co/org/name/tree/${COMMIT}`,
      checksum: entryChecksum(read),
      cachedDate: '2026-01-15T10:30:00.000Z',
      lastAccessDate: '2026-01-16T10:30:00.000Z',
      size: entrySize(read),
      version: '1.0',
      isCompressed: false,
    })
  })

  test.each([undefined, null, '', '1', '1.0.0', '0.9', '2.0', 1, ['1.0']])('of version %j is refused', (version) => {
    expect(fromRecord({ ...VALID, version })).toBeUndefined()
  })

  test.each<[unknown, boolean]>([
    [{ version: '1.2' }, true],
    [{ version: '2.0', repo: 5 }, true],
    [{ version: '10.0' }, true],
    [VALID, false],
    [{ ...VALID, repo: 5 }, false],
    [{ version: '0.9' }, false],
    [{ version: 'next' }, false],
    [{ version: 2 }, false],
    [{}, false],
    [null, false],
    ['2.0', false],
  ])('of a newer version is distinguished from an invalid one: %j', (record, isNewer) => {
    expect(isOfNewerVersion(record)).toBe(isNewer)
  })

  test('can have unknown fields', () => {
    expect(fromRecord({ ...VALID, later: { any: 'thing' } })).toEqual(fromRecord(VALID))
  })

  test.each(Object.keys(VALID).filter((key) => !['modelName', 'checksum', 'size', 'isCompressed'].includes(key)))(
    'without `%s` is refused',
    (key) => {
      expect(fromRecord(Object.fromEntries(Object.entries(VALID).filter(([name]) => name !== key)))).toBeUndefined()
    },
  )

  const file = VALID.files['config.json']
  const [selection] = VALID.selections
  test.each<[string, object]>([
    ['a repo that leads out of the folder', { repo: '../name' }],
    ['a repo that is not text', { repo: { toString: 1 } }],
    ['an invalid commit', { commit: 'main' }],
    ['another commit in its URL', { originalURL: `https://huggingface.co/org/name/tree/${'f'.repeat(40)}` }],
    ['a revision that leads out of the folder', { revision: '../../x' }],
    ['an invalid date', { lastAccessDate: 'yesterday' }],
    ['negative hits', { hits: -1 }],
    ['hits that are not a whole number', { hits: 1.5 }],
    ['an unknown access', { access: 'open' }],
    ['files as text', { files: 'config.json' }],
    ['a file that is null', { files: { 'config.json': null } }],
    ['a file outside of the folder', { files: { '../x': file } }],
    ['a file with an absolute path', { files: { '/etc/passwd': file } }],
    ['a file with a negative size', { files: { 'config.json': { ...file, size: -1 } } }],
    ['a file with half a byte', { files: { 'config.json': { ...file, size: 0.5 } } }],
    ['a file with an invalid digest', { files: { 'config.json': { ...file, digest: 'md5:0' } } }],
    ['a file with an inode that is not text', { files: { 'config.json': { ...file, ino: 5 } } }],
    ['a selection with a file outside of the folder', { selections: [{ ...selection, files: ['../x'] }] }],
    ['a selection without files', { selections: [{ key: '{}', used: true }] }],
  ])('with %s is refused', (_, change) => {
    expect(fromRecord({ ...VALID, ...change })).toBeUndefined()
  })

  test('never throws when it is read, for any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(fromRecord(value)).toBeUndefined()
      }),
    )
  })

  test('with one field replaced by any JSON value is refused, or is the same when it is written and read again', () => {
    const change = fc.tuple(fc.constantFrom(...Object.keys(VALID)), fc.jsonValue().map(json))
    fc.assert(
      fc.property(change, ([key, value]) => {
        const read = fromRecord({ ...VALID, [key]: value })
        if (read) expect(fromRecord(json(toRecord(read)))).toEqual(read)
      }),
      { numRuns: 500 },
    )
  })

  test('with keys such as `__proto__` changes no other object', () => {
    const poison = '{ "polluted": "yes" }'
    const text = JSON.stringify(VALID)
    const records = [
      text.replace('{', `{ "__proto__": ${poison}, "constructor": { "prototype": ${poison} }, `),
      text.replace('"config.json":{', `"__proto__": ${poison}, "config.json":{`),
      text.replace('"config.json":{', `"config.json":{ "__proto__": ${poison},`),
      text.replace('"key":', `"__proto__": ${poison}, "key":`),
      `{ "__proto__": ${text} }`,
    ]
    for (const record of records) {
      expect(() => fromRecord(JSON.parse(record))).not.toThrow()
      expect(Reflect.get({}, 'polluted')).toBeUndefined()
    }
    expect(fromRecord(JSON.parse(records.at(-1) ?? ''))).toBeUndefined()
    expect(fromRecord(JSON.parse(records[0] ?? ''))).toEqual(fromRecord(VALID))
  })
})
