import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, realpath, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { matchesDigest, stampOf } from '../../../src/cache/store/blobs.ts'
import { linkIntoSnapshot } from '../../../src/cache/store/downloads/links.ts'
import { Layout } from '../../../src/cache/store/layout.ts'
import type { Digest } from '../../../src/model/digest.ts'
import { parseHubPath } from '../../../src/model/hub-path.ts'
import { parseRepoId } from '../../../src/model/repo-id.ts'
import { parseCommit } from '../../../src/model/revision.ts'
import { snapshotOf } from '../../../src/model/snapshot.ts'
import { removeFolder } from '../../support/remove-folder.ts'

const REPO = parseRepoId('org/name')
const SNAPSHOT = snapshotOf(parseCommit('0123456789abcdef0123456789abcdef01234567', 'a test'))

let folder: string
let layout: Layout

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'blobs test ')))
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

test('a file that changes while its digest is computed does not match', async () => {
  const content = 'content'.repeat(3_000_000)
  const blob = layout.blob(REPO, await storeBlob(content))
  let matches: boolean | undefined
  const matching = matchesDigest(blob, sha256(content), content.length).then((isRight) => {
    matches = isRight
  })
  for (let time = 1; matches === undefined; time++) await utimes(blob, time, time)
  await matching
  expect(matches).toBe(false)
  expect(await matchesDigest(blob, sha256(content), content.length)).toBe(true)
})

describe('a stamp', () => {
  test('has size, time and inode of the file that a link refers to', async () => {
    const digest = await storeBlob('content')
    const blob = layout.blob(REPO, digest)
    await utimes(blob, 1_700_000_000, 1_700_000_000.5)
    const { ino } = await stat(blob, { bigint: true })
    const stamp = { size: 7, mtimeMs: 1_700_000_000_500, ino: ino.toString() }
    expect(stampOf(blob)).toEqual(stamp)
    expect(stampOf(await link('config.json', digest))).toEqual(stamp)
  })

  test('is undefined when there is no file', async () => {
    await storeBlob('content')
    expect(stampOf(join(folder, 'missing'))).toBeUndefined()
    expect(stampOf(join(layout.blob(REPO, sha256('content')), 'below'))).toBeUndefined()
    await symlink('nowhere', join(folder, 'dangling'))
    expect(stampOf(join(folder, 'dangling'))).toBeUndefined()
  })
})

describe('a blob', () => {
  test('matches its digest only when size and bytes are right', async () => {
    const content = 'x'.repeat(3_000_000)
    const digest = await storeBlob(content)
    const blob = layout.blob(REPO, digest)
    expect(await matchesDigest(blob, digest, content.length)).toBe(true)
    expect(await matchesDigest(blob, digest, content.length + 1)).toBe(false)
    await writeFile(blob, `${content.slice(1)}y`)
    expect(await matchesDigest(blob, digest, content.length)).toBe(false)
    expect(await matchesDigest(join(folder, 'missing'), digest, content.length)).toBe(false)
  })

  test('matches the sha1 of a git blob', async () => {
    const path = join(folder, 'hello')
    await writeFile(path, 'hello\n')
    expect(await matchesDigest(path, 'sha1:ce013625030ba8dba906f756967f9e9ca394464a', 6)).toBe(true)
  })
})
