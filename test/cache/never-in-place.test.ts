import { chmod, link, open, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { Engine, sha256 } from '../support/engine.ts'

// A loaded model is a view into the blob. If a blob were shortened in place, every process that uses the model would be killed by a
// SIGBUS; if it were rewritten, the model would change under its user.

const WEIGHTS = Buffer.alloc(300_000, 'weights')
const REPOS = ['org/one', 'org/two']

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  for (const repo of REPOS) {
    engine.hub.addRepo(repo, { files: { 'config.json': `{"${repo}":1}`, 'weights.bin': WEIGHTS } })
    await engine.open().get(repo)
  }
})

function blobOf(repo: string): string {
  return engine.inCache('hub', `models--${repo.replace('/', '--')}`, 'blobs', sha256(WEIGHTS))
}

/** Changes the first byte of a blob in place, as a failing disk does. */
async function damage(blob: string): Promise<void> {
  await chmod(blob, 0o644)
  await writeFile(blob, Buffer.concat([Buffer.from('W'), WEIGHTS.subarray(1)]))
  await chmod(blob, 0o444)
}

const twoBlobs = () => REPOS.map(blobOf)

describe('a blob that a process uses keeps its bytes while the cache', () => {
  test.each<[string, (blob: string) => Promise<void>, (blob: string) => Promise<unknown>]>([
    ['links equal blobs to one file', async () => {}, () => engine.open().optimize()],
    ['repairs it with `verify`', damage, () => engine.open().verify(undefined, { repair: true })],
    ['finds it changed and downloads it again', damage, () => engine.open().get('org/one')],
    ['finds it cut off and downloads it again', (blob) => truncate(blob, 1000), () => engine.open().get('org/one')],
    [
      'copies it, because another user can write to it by another name',
      async (blob) => {
        await link(blob, join(engine.folder, 'other name'))
        await chmod(blob, 0o666)
      },
      () => engine.open().get('org/one'),
    ],
    ['removes it', async () => {}, () => engine.open().remove('org/one')],
    ['evicts it', async () => {}, () => engine.open({ maxSize: 1 }).maintain()],
    ['cleans', async () => {}, () => engine.open().clean()],
  ])('%s', async (_, change, act) => {
    await change(blobOf('org/one'))
    const uses = await Promise.all(
      twoBlobs().map(async (path) => {
        const file = await open(path, 'r')
        onTestFinished(() => file.close())
        return { path, file, bytes: await readFile(path), before: await file.stat() }
      }),
    )
    await act(blobOf('org/one'))
    const inodes = await Promise.all(uses.map(({ path }) => stat(path).catch(() => undefined)))
    // The act did replace or remove at least one of the blobs.
    expect(uses.some(({ before }, index) => inodes[index]?.ino !== before.ino)).toBe(true)
    for (const { file, bytes, before } of uses) {
      const now = await file.stat()
      expect([now.size, now.mtimeMs]).toEqual([before.size, before.mtimeMs])
      const { buffer } = await file.read({ buffer: Buffer.alloc(bytes.length), position: 0 })
      expect(buffer.equals(bytes)).toBe(true)
    }
  })
})
