import { Ajv } from 'ajv'
import { expect, test } from 'vitest'
import { type LockedModel, type LockFile, parseLockFile, printLockFile } from '../../src/model/lock-file.ts'
import schema from '../../src/model/models.lock.schema.json' with { type: 'json' }
import { parseRepoId } from '../../src/model/repo-id.ts'
import { isCommit } from '../../src/model/revision.ts'
import { addToTree, type Tree } from '../../src/model/tree.ts'
import fc from '../support/property.ts'

const NAME = '/app/models.lock.json'
const isLockFile = new Ajv().compile(schema)

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length })
const anyPath = fc.array(fc.string({ unit: fc.constantFrom(...'ab_."é☃1 <='), minLength: 1, maxLength: 12 }), {
  minLength: 1,
  maxLength: 3,
})
const anyTree = fc
  .array(fc.tuple(anyPath, fc.maxSafeNat(), hex(40), fc.option(hex(64), { nil: undefined })), { maxLength: 12 })
  .map((files) => {
    const tree: Tree = new Map()
    for (const [parts, size, sha1, sha256] of files) {
      const path = parts.join('/')
      if (!parts.includes('.') && !parts.includes('..'))
        addToTree(tree, { path, size, gitId: sha256 === undefined ? sha1 : '', sha256 }, 'a test')
    }
    return tree
  })
const anyRepo = fc.constantFrom('org/a', 'org/b', 'Org/A', 'gpt2').map(parseRepoId)
const anyModel: fc.Arbitrary<LockedModel> = fc.record(
  {
    repo: anyRepo,
    id: anyRepo,
    revision: fc.constantFrom('main', 'v1.0', 'refs/pr/1'),
    commit: hex(40).filter(isCommit),
    endpoint: fc.constantFrom('https://huggingface.co', 'http://127.0.0.1:8080/mirror'),
    access: fc.constantFrom('public', 'gated', 'private'),
    task: fc.string(),
    files: anyTree,
  },
  { requiredKeys: ['repo', 'id', 'revision', 'commit', 'endpoint', 'access', 'files'] },
)
const anyLockFile: fc.Arbitrary<LockFile> = fc
  .uniqueArray(anyModel, {
    selector: ({ repo, revision, endpoint }) => `${repo} ${revision} ${endpoint}`,
    maxLength: 5,
  })
  .map((models) => ({ models }))

/** Two models; the second has two files. */
function example(): { file: LockFile; text: string } {
  const tree = (files: Record<string, number>): Tree =>
    new Map(
      Object.entries(files).map(([path, size]) => [
        path as never,
        { size, digest: `sha1:${'0'.repeat(40)}`, gitId: '0'.repeat(40) },
      ]),
    )
  const commit = 'c'.repeat(40)
  if (!isCommit(commit)) throw new Error('No commit')
  const model = { revision: 'main', commit, endpoint: 'https://huggingface.co', access: 'public' as const }
  const [first, second] = ['org/a', 'org/b'].map(parseRepoId)
  if (!first || !second) throw new Error('No names')
  const models = [
    { ...model, repo: first, id: first, files: tree({ 'config.json': 1 }) },
    { ...model, repo: second, id: second, files: tree({ 'a.bin': 2, 'b.bin': 3 }) },
  ]
  return { file: { models }, text: printLockFile({ models }) }
}

test('a printed file is parsed to the same models, fits to the JSON Schema, and does not depend on their order', () => {
  fc.assert(
    fc.property(anyLockFile, ({ models }) => {
      const text = printLockFile({ models })
      const parsed = parseLockFile(text, NAME)
      expect(new Set(parsed.models)).toEqual(new Set(models))
      expect(isLockFile(JSON.parse(text)), JSON.stringify(isLockFile.errors)).toBe(true)
      const turned = models.map((model) => ({ ...model, files: new Map([...model.files].reverse()) })).reverse()
      expect(printLockFile({ models: turned })).toBe(text)
      // Formatters of JSON and git's conversion of line breaks change nothing that counts.
      expect(text).toBe(`${JSON.stringify(JSON.parse(text), null, 2)}\n`)
      expect(parseLockFile(`\ufeff${text.replaceAll('\n', '\r\n')}`, NAME)).toEqual(parsed)
    }),
  )
})

test('each file has a line of its own, so that a change of one file changes that line, the commit and the checksum', () => {
  const { file, text } = example()
  const [first, second] = file.models
  if (!first || !second) throw new Error('No models')
  const files = new Map([...second.files].map(([path, each]) => [path, path === 'b.bin' ? { ...each, size: 4 } : each]))
  const after = printLockFile({ ...file, models: [first, { ...second, commit: 'd'.repeat(40) as never, files }] })
  const [before, now] = [text, after].map((each) => each.split('\n'))
  const changed = now?.filter((line, index) => line !== before?.[index]) ?? []
  expect(now).toHaveLength(before?.length ?? 0)
  expect(changed.map((line) => line.trim().split('"')[1])).toEqual(['commit', 'checksum', 'b.bin'])
  expect(text.split('\n').filter((line) => line.includes('sha1:'))).toHaveLength(3)
})

test('the address of a schema that a user adds is kept', () => {
  const { file } = example()
  const text = printLockFile({ ...file, schema: './schema.json' })
  expect(isLockFile(JSON.parse(text))).toBe(true)
  expect(printLockFile(parseLockFile(text, NAME))).toBe(text)
})

const swap = (from: string | RegExp, to: string) => (text: string) => text.replace(from, to)

test.each<[string, (text: string) => string, RegExp]>([
  ['an empty file', () => '', /not valid JSON/],
  ['a file that ends early', (text) => text.slice(0, -30), /not valid JSON/],
  ['another JSON document', () => '[]', /`lockfileVersion`/],
  ['a number', () => '1', /not a JSON object/],
  [
    'a newer file',
    swap('"lockfileVersion": 1', '"lockfileVersion": 2'),
    /newer version .* is 2, and 1 is known.*Update/,
  ],
  ['no list', () => '{ "lockfileVersion": 1, "models": {} }', /`models` is not a list/],
  [
    'marks of a merge conflict',
    swap('  "models"', '<<<<<<< HEAD\n  "models"'),
    /merge conflict, the first in line 3\..*--ours/,
  ],
  ['a mark of diff3', swap(/\n {4}\{/, '\n||||||| 123\n    {'), /merge conflict/],
  ['a model that stands twice', swap(/ {4}\{[\s\S]*?\n {4}\},\n/, '$&$&'), /org\/a@main stands in it twice/],
  ['a file that stands twice', swap(/( +"a\.bin".*\n)/, '$1$1'), /stands twice/],
  ['another size', swap(' 3"', ' 4"'), /org\/b: its checksum does not fit.*edited by hand/],
  ['another commit', swap('c'.repeat(40), 'd'.repeat(40)), /org\/a: its checksum/],
  ['another endpoint', swap('https://huggingface.co', 'https://evil.example'), /org\/a: its checksum/],
  ['a file less', swap(/ +"a\.bin".*\n/, ''), /org\/b: its checksum/],
  ['a size that is no number', swap(' 3"', ' 3.5"'), /"b\.bin" has no digest and size/],
  ['a size that is too large', swap(' 3"', ' 9999999999999999"'), /"b\.bin" has no digest/],
  ['a digest that is cut off', swap('sha1:0', 'sha1:'), /has no digest/],
  ['a path that leads out', swap('"a.bin"', '"../a.bin"'), /org\/b: The file name "\.\.\/a\.bin"/],
  ['an absolute path', swap('"a.bin"', '"/etc/passwd"'), /The file name/],
  ['a repo that leads out', swap('"repo": "org/a"', '"repo": "../.."'), /not a repo id/],
  ['a revision that leads out', swap('"revision": "main"', '"revision": "../main"'), /not a valid revision/],
  ['a commit in upper case', swap('c'.repeat(40), 'C'.repeat(40)), /not a commit/],
  ['two commits', swap('"revision": "main"', `"revision": "${'d'.repeat(40)}"`), /different commits/],
  ['an endpoint with a password', swap('https://huggingface.co', 'https://me:pw@huggingface.co'), /not an http/],
  ['an endpoint of another kind', swap('https://huggingface.co', 'file:///etc'), /not an http/],
  ['access that is not known', swap('"access": "public"', '"access": "unknown"'), /`access`/],
  ['files that are a list', swap(/"files": \{[^}]*\}/, '"files": []'), /`files`/],
])('%s is refused with the reason', (_, change, reason) => {
  const { text } = example()
  const changed = change(text)
  expect(changed).not.toBe(text)
  expect(() => parseLockFile(changed, NAME)).toThrow(
    expect.objectContaining({ code: 'LOCK_BROKEN', asked: `Lock file ${NAME}` }),
  )
  expect(() => parseLockFile(changed, NAME)).toThrow(reason)
})

test('whatever stands in a file, it is parsed or refused as broken', () => {
  const { text } = example()
  const mutated = fc
    .tuple(fc.nat(text.length), fc.nat(40), fc.string())
    .map(([at, length, put]) => text.slice(0, at) + put + text.slice(at + length))
  fc.assert(
    fc.property(fc.oneof(mutated, fc.string(), fc.json()), (any) => {
      try {
        parseLockFile(any, NAME)
      } catch (error) {
        expect(error).toMatchObject({ code: 'LOCK_BROKEN' })
      }
    }),
  )
})
