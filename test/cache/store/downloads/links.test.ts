import { createHash } from 'node:crypto'
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { linkIntoSnapshot } from '../../../../src/cache/store/downloads/links.ts'
import { Layout } from '../../../../src/cache/store/layout.ts'
import type { Digest } from '../../../../src/model/digest.ts'
import { parseHubPath } from '../../../../src/model/hub-path.ts'
import { parseRepoId } from '../../../../src/model/repo-id.ts'
import { parseCommit } from '../../../../src/model/revision.ts'
import { snapshotOf } from '../../../../src/model/snapshot.ts'
import { removeFolder } from '../../../support/remove-folder.ts'

const REPO = parseRepoId('org/name')
const SNAPSHOT = snapshotOf(parseCommit('0123456789abcdef0123456789abcdef01234567', 'a test'))

let folder: string
let layout: Layout

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'links test ')))
  layout = new Layout(folder)
  onTestFinished(() => removeFolder(folder))
})

function sha256(content: string): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}

async function storeBlob(content: string): Promise<Digest> {
  const digest = sha256(content)
  await mkdir(dirname(layout.blob(REPO, digest)), { recursive: true })
  await writeFile(layout.blob(REPO, digest), content)
  return digest
}

async function link(path: string, digest: Digest): Promise<string> {
  const hubPath = parseHubPath(path, 'a test')
  await linkIntoSnapshot(layout, { repo: REPO, snapshot: SNAPSHOT, path: hubPath, digest })
  return layout.file(REPO, SNAPSHOT, hubPath)
}

describe('a file of a snapshot', () => {
  test.each(['config.json', 'onnx/deep/model.onnx'])('is a relative link to its blob: %s', async (path) => {
    const file = await link(path, await storeBlob('content'))
    expect((await lstat(file)).isSymbolicLink()).toBe(true)
    expect(isAbsolute(await readlink(file))).toBe(false)
    expect(await readFile(file, 'utf8')).toBe('content')
    expect(await realpath(file)).toBe(layout.blob(REPO, sha256('content')))
  })

  test('can still be read after the whole cache was moved', async () => {
    const file = await link('onnx/model.onnx', await storeBlob('content'))
    const moved = join(folder, 'elsewhere')
    await mkdir(moved)
    await rename(layout.hub, join(moved, 'hub'))
    expect(await readFile(file.replace(folder, moved), 'utf8')).toBe('content')
  })

  test('stays the same link when it is linked again', async () => {
    const digest = await storeBlob('content')
    const before = await lstat(await link('config.json', digest), { bigint: true })
    const after = await lstat(await link('config.json', digest), { bigint: true })
    expect([after.ino, after.mtimeNs]).toEqual([before.ino, before.mtimeNs])
  })

  test('refers to the new blob when its content changed', async () => {
    const file = await link('config.json', await storeBlob('old'))
    await link('config.json', await storeBlob('new'))
    expect(await readFile(file, 'utf8')).toBe('new')
    expect(await readFile(layout.blob(REPO, sha256('old')), 'utf8')).toBe('old')
  })

  test.each(['a file', 'a link to nowhere', 'a link out of the cache'])('replaces %s', async (kind) => {
    const digest = await storeBlob('content')
    const file = layout.file(REPO, SNAPSHOT, parseHubPath('config.json', 'a test'))
    const outside = join(folder, 'outside')
    await writeFile(outside, 'outside')
    await mkdir(dirname(file), { recursive: true })
    if (kind === 'a file') await writeFile(file, 'copy')
    else await symlink(kind === 'a link to nowhere' ? 'nowhere' : outside, file)
    await link('config.json', digest)
    expect(await realpath(file)).toBe(layout.blob(REPO, digest))
    expect(await readFile(outside, 'utf8')).toBe('outside')
  })

  test('can be linked by twenty calls at once, which leave no other file', async () => {
    const digest = await storeBlob('content')
    const files = await Promise.all(Array.from({ length: 20 }, () => link('config.json', digest)))
    expect(await readFile(files[0] ?? '', 'utf8')).toBe('content')
    expect(await readdir(layout.snapshot(REPO, SNAPSHOT))).toEqual(['config.json'])
  })
})
