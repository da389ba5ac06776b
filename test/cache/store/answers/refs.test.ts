import { mkdir, mkdtemp, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { readRef, writeRef } from '../../../../src/cache/store/answers/refs.ts'
import { Layout } from '../../../../src/cache/store/layout.ts'
import { parseRepoId } from '../../../../src/model/repo-id.ts'
import { parseCommit } from '../../../../src/model/revision.ts'
import { removeFolder } from '../../../support/remove-folder.ts'

const REPO = parseRepoId('org/name')
const COMMIT = parseCommit('0123456789abcdef0123456789abcdef01234567', 'a test')
const OTHER = parseCommit('f'.repeat(40), 'a test')

let layout: Layout

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'refs test '))
  layout = new Layout(folder)
  await writeFile(layout.marker, '{"format":1}')
  onTestFinished(() => removeFolder(folder))
})

async function place(revision: string, content: string): Promise<void> {
  await mkdir(dirname(layout.ref(REPO, revision)), { recursive: true })
  await writeFile(layout.ref(REPO, revision), content)
}

describe('a ref', () => {
  test.each(['main', 'v1.0', 'feature/x', 'refs/pr/1'])('of %s is read as it was written', async (revision) => {
    await writeRef(layout, REPO, revision, COMMIT)
    expect((await readRef(layout, REPO, revision))?.commit).toBe(COMMIT)
    await writeRef(layout, REPO, revision, OTHER)
    expect((await readRef(layout, REPO, revision))?.commit).toBe(OTHER)
  })

  test('is where huggingface_hub looks for it, and has the commit as its content', async () => {
    await writeRef(layout, REPO, 'refs/pr/1', COMMIT)
    const path = join(layout.directory, 'hub', 'models--org--name', 'refs', 'refs', 'pr', '1')
    expect(await readFile(path, 'utf8')).toBe(COMMIT)
  })

  test('of a commit needs no file', async () => {
    await writeRef(layout, REPO, COMMIT, COMMIT)
    await expect(stat(layout.hub)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await readRef(layout, REPO, COMMIT)).toEqual({ commit: COMMIT, ageMs: 0 })
  })

  test('is as old as its file', async () => {
    await writeRef(layout, REPO, 'main', COMMIT)
    const past = Date.now() / 1000 - 3600
    await utimes(layout.ref(REPO, 'main'), past, past)
    const aged = await readRef(layout, REPO, 'main')
    expect(aged?.ageMs).toBeGreaterThanOrEqual(3600_000 - 1000)
    expect(aged?.ageMs).toBeLessThan(3600_000 + 60_000)
    await writeRef(layout, REPO, 'main', COMMIT)
    expect((await readRef(layout, REPO, 'main'))?.ageMs).toBeLessThan(60_000)
  })

  test('with a time in the future has an age of 0', async () => {
    await writeRef(layout, REPO, 'main', COMMIT)
    const future = Date.now() / 1000 + 3600
    await utimes(layout.ref(REPO, 'main'), future, future)
    expect((await readRef(layout, REPO, 'main'))?.ageMs).toBe(0)
  })

  test('that another tool wrote with a line feed is read', async () => {
    await place('main', `${COMMIT}\n`)
    expect((await readRef(layout, REPO, 'main'))?.commit).toBe(COMMIT)
  })

  test.each(['', 'main', COMMIT.slice(1), '../../etc/passwd'])(
    'with the content %j counts as absent',
    async (content) => {
      await place('main', content)
      expect(await readRef(layout, REPO, 'main')).toBeUndefined()
    },
  )

  test('is absent when its path does not exist, is a folder or is below a file', async () => {
    await place('a/b', COMMIT)
    for (const revision of ['main', 'a', 'a/b/c']) expect(await readRef(layout, REPO, revision)).toBeUndefined()
  })

  test.each<[string, string[]]>([
    ['a', ['a/b', 'a/c/d']],
    ['a/b', ['a']],
    ['c', ['c/d']],
    ['c/d/e', ['c', 'c/d']],
    ['refs/pr/1', ['refs/pr', 'refs', 'refs/pr/1/x']],
  ])('of %s is removed when a ref is written that can not exist beside it', async (before, revisions) => {
    for (const after of revisions) {
      await writeRef(layout, REPO, before, COMMIT)
      await writeRef(layout, REPO, 'main', COMMIT)
      await writeRef(layout, REPO, after, OTHER)
      expect((await readRef(layout, REPO, after))?.commit).toBe(OTHER)
      expect(await readRef(layout, REPO, before)).toBeUndefined()
      expect((await readRef(layout, REPO, 'main'))?.commit).toBe(COMMIT)
      await writeRef(layout, REPO, before, COMMIT)
      expect((await readRef(layout, REPO, before))?.commit).toBe(COMMIT)
      expect(await readRef(layout, REPO, after)).toBeUndefined()
    }
  })

  test('leaves no temporary file when a conflicting ref was removed', async () => {
    await writeRef(layout, REPO, 'a/b', COMMIT)
    await writeRef(layout, REPO, 'a', OTHER)
    expect(await readdir(join(layout.repo(REPO), 'refs'))).toEqual(['a'])
  })
})
