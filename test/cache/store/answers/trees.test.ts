import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { readTree, writeTree } from '../../../../src/cache/store/answers/trees.ts'
import { Layout } from '../../../../src/cache/store/layout.ts'
import { parseHubPath } from '../../../../src/model/hub-path.ts'
import { parseRepoId } from '../../../../src/model/repo-id.ts'
import { parseCommit } from '../../../../src/model/revision.ts'
import { addToTree, type RawTreeFile, type Tree } from '../../../../src/model/tree.ts'
import { removeFolder } from '../../../support/remove-folder.ts'

const REPO = parseRepoId('org/name')
const COMMIT = parseCommit('0123456789abcdef0123456789abcdef01234567', 'a test')
const GIT_ID = 'a'.repeat(40)
const SHA256 = 'b'.repeat(64)

let layout: Layout

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'trees test '))
  layout = new Layout(folder)
  onTestFinished(() => removeFolder(folder))
})

function treeOf(...files: RawTreeFile[]): Tree {
  const tree: Tree = new Map()
  for (const file of files) expect(addToTree(tree, file, 'a test')).toBe(true)
  return tree
}

const TREE = () =>
  treeOf(
    { path: 'onnx/model.onnx', size: 1234, gitId: GIT_ID, sha256: SHA256, xetHash: 'c'.repeat(64) },
    { path: 'weights.bin', size: 5, gitId: GIT_ID, sha256: SHA256 },
    { path: 'config.json', size: 519, gitId: GIT_ID },
    { path: 'empty', size: 0, gitId: GIT_ID },
  )

async function store(content: string): Promise<Tree | undefined> {
  await mkdir(dirname(layout.tree(REPO, COMMIT)), { recursive: true })
  await writeFile(layout.tree(REPO, COMMIT), content)
  return readTree(layout, REPO, COMMIT)
}

test('a listing is read as it was written', async () => {
  expect(await readTree(layout, REPO, COMMIT)).toBeUndefined()
  await writeTree(layout, REPO, COMMIT, TREE())
  expect(await readTree(layout, REPO, COMMIT)).toEqual(TREE())
  await writeTree(layout, REPO, COMMIT, new Map())
  expect(await readTree(layout, REPO, COMMIT)).toEqual(new Map())
})

test('a listing has the format and the path of huggingface_hub', async () => {
  await writeTree(layout, REPO, COMMIT, TREE())
  const folder = join(layout.directory, 'hub', 'models--org--name', 'trees')
  expect(await readdir(folder)).toEqual([`${COMMIT}.json`])
  expect(JSON.parse(await readFile(join(folder, `${COMMIT}.json`), 'utf8'))).toEqual({
    format_version: 1,
    files: {
      'config.json': { size: 519, blob_id: GIT_ID },
      empty: { size: 0, blob_id: GIT_ID },
      'onnx/model.onnx': {
        size: 1234,
        blob_id: GIT_ID,
        lfs_sha256: SHA256,
        lfs_size: 1234,
        xet_hash: 'c'.repeat(64),
      },
      'weights.bin': { size: 5, blob_id: GIT_ID, lfs_sha256: SHA256, lfs_size: 5 },
    },
  })
})

describe('a stored listing', () => {
  const file = { size: 1, blob_id: GIT_ID }
  const tree = (files: unknown) => JSON.stringify({ format_version: 1, files })

  test('that huggingface_hub wrote is read', async () => {
    const files = { 'a.bin': { ...file, lfs_sha256: SHA256, lfs_size: 1, xet_hash: 'x' }, 'b.txt': file }
    expect(await store(tree(files))).toEqual(
      treeOf(
        { path: 'a.bin', size: 1, gitId: GIT_ID, sha256: SHA256, xetHash: 'x' },
        { path: 'b.txt', size: 1, gitId: GIT_ID },
      ),
    )
  })

  test.each<[string, string]>([
    ['is empty', ''],
    ['is truncated', tree({ 'a.txt': file }).slice(0, -5)],
    ['is null', 'null'],
    ['is a list', '[]'],
    ['has another version', JSON.stringify({ format_version: 2, files: {} })],
    ['has no version', JSON.stringify({ files: {} })],
    ['has no files', JSON.stringify({ format_version: 1 })],
    ['has a file that is null', tree({ 'a.txt': null })],
    ['has a file without a size', tree({ 'a.txt': { blob_id: GIT_ID } })],
    ['has a file with a negative size', tree({ 'a.txt': { ...file, size: -1 } })],
    ['has a file with half a byte', tree({ 'a.txt': { ...file, size: 0.5 } })],
    ['has a file with a size as text', tree({ 'a.txt': { ...file, size: '1' } })],
    ['has a file without a digest', tree({ 'a.txt': { size: 1 } })],
    ['has a file with an invalid digest', tree({ 'a.txt': { ...file, blob_id: '../x' } })],
    ['has a file with an invalid sha256', tree({ 'a.bin': { ...file, lfs_sha256: 'x' } })],
    ['has a file outside of the folder', tree({ '../a.txt': file })],
    ['has a file with an absolute path', tree({ '/a.txt': file })],
  ])('that %s counts as absent', async (_, content) => {
    expect(await store(content)).toBeUndefined()
  })

  test('with a file named `__proto__` is read', async () => {
    const read = await store(`{ "format_version": 1, "files": { "__proto__": ${JSON.stringify(file)} } }`)
    expect(read?.get(parseHubPath('__proto__', 'a test'))?.size).toBe(1)
  })
})
