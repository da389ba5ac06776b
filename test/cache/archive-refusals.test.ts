import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hasZstd } from '../../src/cache/archive/compression.ts'
import type { ModelCache, ModelCacheError } from '../../src/cache/index.ts'
import { type Member, membersOf, tarOf } from '../support/archives.ts'
import { contentsOf, Engine, refusalOf, sha256 } from '../support/engine.ts'

const FIRST = { 'config.json': '{"first":1}', 'weights.bin': randomBytes(300_000).toString('latin1') }
const SECOND = { 'config.json': '{"second":1}', 'weights.bin': randomBytes(200_000).toString('latin1') }

let engine: Engine
/** The members of a valid archive of two models. */
let members: Member[]
let archive: Buffer

let number = 0

const ends: (() => Promise<void>)[] = []
beforeAll(async () => {
  engine = await Engine.start((end) => ends.push(end))
  for (const [name, files] of [['org/first', FIRST] as const, ['org/second', SECOND] as const]) {
    const bytes = Object.entries(files).map(([path, content]) => [path, Buffer.from(content, 'latin1')])
    engine.hub.addRepo(name, { files: Object.fromEntries(bytes) })
    await engine.open().get(name)
  }
  await engine.open().exportTo(join(engine.folder, 'models.tar'))
  archive = await readFile(join(engine.folder, 'models.tar'))
  members = membersOf(archive)
})
afterAll(async () => {
  for (const end of ends) await end()
})
beforeEach(() => {
  number++
  engine.hub.clearRequests()
})

/** The cache of the machine without network: an empty folder for each test. */
const folderB = () => join(engine.folder, `b ${number}`)

function openB(): ModelCache {
  return engine.open({ cacheDir: folderB(), offline: true })
}

async function refusalFor(bytes: Buffer): Promise<ModelCacheError> {
  const file = join(engine.folder, 'wrong.tar')
  await writeFile(file, bytes)
  const refusal = await refusalOf(openB().importFrom(file))
  expect(refusal.code).toBe('ARCHIVE_REFUSED')
  expect(refusal.asked).toBe(`Archive ${file}`)
  // Nothing beside the cache was written, and nothing unfinished is left.
  const around = (await readdir(engine.folder)).filter((name) => !name.startsWith('b '))
  expect(around.sort()).toEqual(['cache', 'models.tar', 'wrong.tar'])
  return refusal
}

/** What the cache has after a refusal. */
async function left(): Promise<string[]> {
  const entries = await openB().list()
  expect((await openB().verify()).problems).toEqual([])
  const files = await readdir(join(folderB(), 'hub'), { recursive: true }).catch(() => [])
  // No snapshot of a model that is not complete.
  const snapshots = files.filter((path) => /snapshots\/[0-9a-f]{40}$/.test(path))
  expect(snapshots).toHaveLength(entries.length)
  expect(await readdir(join(folderB(), 'incoming')).catch(() => [])).toEqual([])
  return entries.map(({ repo }) => repo)
}

/** The list of contents with a change, and the other members as they are. */
function withContents(
  change: (contents: { formatVersion: unknown; models: Record<string, unknown>[] }) => unknown,
): Buffer {
  const [first, ...rest] = members
  const contents = JSON.parse(String(first?.content))
  return tarOf([{ name: 'vitest-model-cache.json', content: JSON.stringify(change(contents) ?? contents) }, ...rest])
}

/** The list of contents with other fields of the first model. */
function withFirst(fields: Record<string, unknown>): Buffer {
  return withContents(({ models }) => void Object.assign(models[0] ?? {}, fields))
}

const BLOB = `blobs/sha256/${sha256('x')}`
const inserted = (member: Member) => () => tarOf([...members.slice(0, 2), member, ...members.slice(2)])

describe('an archive is refused, and nothing of it is imported, if it', () => {
  const cases: [string, () => Buffer, RegExp][] = [
    ['is empty', () => Buffer.alloc(0), /It is empty/],
    ['is no archive', () => Buffer.from('PK\u0003\u0004 a zip'), /It is no archive.*Name a file that/],
    ['is a gzip of no archive', () => gzipSync('text'.repeat(1000)), /It is damaged, or was not made by this package/],
    ['is compressed twice', () => gzipSync(gzipSync(archive)), /It is damaged, or was not made by this package/],
    [
      'was made by another tool',
      () => tarOf([{ name: 'model/config.json', content: '{}' }]),
      /Its first member is "model\/config.json"/,
    ],
    ['is cut off in its list', () => archive.subarray(0, 700), /It is cut off in vitest-model-cache.json/],
    ['is a gzip that is cut off', () => gzipSync(archive).subarray(0, 60), /It is cut off/],
    [
      'is a gzip with damaged bytes',
      () => Buffer.concat([gzipSync(archive).subarray(0, 20), Buffer.alloc(3000, 0xff)]),
      /Its compressed data is damaged/,
    ],
    [
      'is a zstd that this Node.js can not read, or that is damaged',
      () => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, ...Array(600).fill(0xff)]),
      hasZstd() ? /Its compressed data is damaged/ : /which this Node\.js \(v\S+\) can't read.*zstd -d/,
    ],
    [
      'is of a newer version',
      () => withContents((contents) => ({ ...contents, formatVersion: 2 })),
      /A newer version.*Update vitest-model-cache/,
    ],
    [
      'lists no JSON',
      () => tarOf([{ name: 'vitest-model-cache.json', content: '{"formatVersion":1' }]),
      /not valid JSON/,
    ],
    [
      'lists a model twice',
      () => withContents(({ models }) => void models.push(models[0] ?? {})),
      /lists org\/first at [0-9a-f]{7} twice/,
    ],
    [
      'lists a path that leads out',
      () => withFirst({ files: { '../../evil': `sha256:${sha256('x')} 1` }, listing: undefined }),
      /"..\/..\/evil" could lead out/,
    ],
    ['lists a repo that leads out', () => withFirst({ repo: '../evil' }), /not a repo id/],
    ['lists a branch that leads out', () => withFirst({ refs: { '../../main': 1 } }), /not a valid revision/],
    [
      'lists an answer with another name',
      () => withFirst({ answers: { '../../x.json': { at: 1, headers: {}, body: '' } } }),
      /a stored answer of the API is malformed/,
    ],
    [
      'lists an endpoint with a password',
      () => withFirst({ endpoint: 'https://user:pass@host' }),
      /`endpoint` is neither null nor/,
    ],
    [
      'has a symbolic link',
      inserted({ name: BLOB, content: '', type: 'SymbolicLink', linkpath: '/etc/passwd' }),
      /is no plain file, but: SymbolicLink/,
    ],
    [
      'has a hard link',
      inserted({ name: BLOB, content: '', type: 'Link', linkpath: 'blobs/x' }),
      /is no plain file, but: Link/,
    ],
    [
      'has a device',
      inserted({ name: BLOB, content: '', type: 'CharacterDevice' }),
      /is no plain file, but: CharacterDevice/,
    ],
    ['has a folder', inserted({ name: 'blobs/', content: '', type: 'Directory' }), /is no plain file, but: Directory/],
    [
      'has a long name',
      inserted({ name: '././@LongLink', content: 'x'.repeat(300), type: 'NextFileHasLongPath' }),
      /is no plain file/,
    ],
    [
      'has a pax header',
      inserted({ name: 'PaxHeader/x', content: '20 path=../../evil\n', type: 'ExtendedHeader' }),
      /is no plain file, but: ExtendedHeader/,
    ],
    [
      'has an absolute path',
      inserted({ name: '/etc/cron.d/evil', content: 'x' }),
      /"\/etc\/cron.d\/evil" has a name that no archive of this package has/,
    ],
    [
      'has a path with ..',
      inserted({ name: `blobs/sha256/../../${'0'.repeat(64)}`, content: 'x' }),
      /has a name that no archive/,
    ],
    [
      'has a member twice',
      () => tarOf([...members.slice(0, 2), ...members.slice(1)]),
      /is not listed, or stands twice/,
    ],
    ['has a member that is not listed', inserted({ name: BLOB, content: 'x' }), /is not listed, or stands twice/],
    [
      'lacks a member',
      () => tarOf([members[0], ...members.slice(2)].flatMap((each) => each ?? [])),
      /is not listed, or stands twice/,
    ],
    ['has no members', () => tarOf(members.slice(0, 1)), /It ends before blobs\/sha1\/[0-9a-f]{40}, which it lists/],
    [
      'has a larger member than it lists',
      () => tarOf(members.map((each, index) => (index === 1 ? { ...each, content: 'y'.repeat(5000) } : each))),
      /has 5000 bytes, and the list of contents states 11/,
    ],
    [
      'has a header with an enormous size',
      () => tarOf(members.map((each, index) => (index === 1 ? { ...each, size: 2 ** 52 } : each))),
      /bytes, and the list of contents states 11/,
    ],
    [
      'has a damaged header',
      () => Buffer.concat([tarOf(members.slice(0, 1), Buffer.alloc(0)), Buffer.alloc(512, 7)]),
      /a header has a wrong checksum/,
    ],
    [
      'has other bytes',
      () => tarOf(members.map((each, index) => (index === 1 ? { ...each, content: '{"FIRST":1}' } : each))),
      /config.json of org\/first is damaged.*No model was imported/,
    ],
  ]
  test.each(cases)('%s', async (_, make, message) => {
    const refusal = await refusalFor(make())
    expect(refusal.message).toMatch(message)
    expect(await left()).toEqual([])
  })

  test('grows out of proportion', async () => {
    const zeros = Buffer.alloc(80 << 20)
    const model = { ...JSON.parse(String(members[0]?.content)).models[0], selections: [], listing: undefined }
    const contents = {
      formatVersion: 1,
      models: [{ ...model, files: { 'zeros.bin': `sha256:${sha256(zeros)} ${zeros.length}` } }],
    }
    const bomb = tarOf([
      { name: 'vitest-model-cache.json', content: JSON.stringify(contents) },
      { name: `blobs/sha256/${sha256(zeros)}`, content: zeros },
    ])
    expect((await refusalFor(gzipSync(bomb, { level: 1 }))).message).toMatch(/more than 200 times its size/)
    expect(await left()).toEqual([])
    // Uncompressed, it is as large as it says. It is not exported in a form that no machine would take.
    await openB().importFrom(Readable.from([bomb]))
    const file = join(engine.folder, 'small.tar.gz')
    expect(await refusalOf(openB().exportTo(file))).toMatchObject({ code: 'INVALID_OPTION' })
    expect(existsSync(file)).toBe(false)
  })
})

describe('models before the damage stay, and the error names them, if an archive', () => {
  const cases: [string, () => Buffer, RegExp][] = [
    [
      'is cut off',
      () => archive.subarray(0, archive.length - 50_000),
      /It is cut off in blobs\/sha256\/\S+\. Imported before that: org\/first\. Not imported: org\/second\./,
    ],
    [
      'has other bytes',
      () => tarOf(members.map((each, index) => (index === 3 ? { ...each, content: '{"SECOND":1}' } : each))),
      /config.json of org\/second is damaged/,
    ],
    ['has more members', () => tarOf([...members, { name: BLOB, content: 'x' }]), /stands where the end is expected/],
    ['has data after its end', () => Buffer.concat([archive, Buffer.from('more')]), /More data follows its end/],
    ['has no end', () => tarOf(members, Buffer.alloc(0)), /It is cut off in a member/],
  ]
  test.each(cases)('%s', async (_, make, message) => {
    const refusal = await refusalFor(make())
    expect(refusal.message).toMatch(message)
    expect(await left()).toEqual(['org/first'])
    expect(await contentsOf(await openB().get('org/first'))).toEqual(FIRST)
    // The right archive brings the rest.
    expect(await openB().importFrom(Readable.from([archive]))).toMatchObject({
      models: [{ addedFiles: 0 }, { addedFiles: 2 }],
    })
    expect(await contentsOf(await openB().get('org/second'))).toEqual(SECOND)
    expect(engine.hub.requests).toEqual([])
  })
})

test('an archive that contradicts what the Hub stated here, or what another archive brought, changes nothing', async () => {
  const other = withContents(({ models }) => {
    for (const model of models) {
      const files = { 'config.json': `sha256:${sha256('evil')} 4` }
      Object.assign(model, { files, listing: files, selections: [] })
    }
  })
  const evil = tarOf([...membersOf(other).slice(0, 1), { name: `blobs/sha256/${sha256('evil')}`, content: 'evil' }])
  await writeFile(join(engine.folder, 'evil.tar'), evil)
  const before = await readFile(engine.inCache('cache_metadata.json'), 'utf8')
  const stated = await refusalOf(engine.open().importFrom(join(engine.folder, 'evil.tar')))
  expect(stated.message).toMatch(
    /"config.json" of org\/first has the digest sha256:\w+ in it, and http\S+ stated sha1:\w+\./,
  )
  expect(await readFile(engine.inCache('cache_metadata.json'), 'utf8')).toBe(before)

  await openB().importFrom(join(engine.folder, 'models.tar'))
  const brought = await refusalOf(openB().importFrom(join(engine.folder, 'evil.tar')))
  expect(brought.message).toMatch(/in it, and sha1:\w+ in this cache\. No model was imported\. One of the two is wrong/)
  expect(await contentsOf(await openB().get('org/first'))).toEqual(FIRST)
})
