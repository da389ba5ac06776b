import { createCipheriv } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { cutFile } from '../../../src/cache/store/packs/cut-file.ts'
import { chunkId } from '../../../src/model/chunk-id.ts'
import { sha256 } from '../../support/engine.ts'

test.each([
  ['at once', 5 << 20],
  ['in a thread', 33 << 20],
])('a file is cut %s into chunks that have all its bytes, in order', async (_, size) => {
  const folder = await mkdtemp(join(tmpdir(), 'cut file '))
  onTestFinished(() => rm(folder, { recursive: true }))
  const bytes = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(size + 5))
  const path = join(folder, 'file')
  await writeFile(path, bytes)
  const file = { path, digest: `sha256:${sha256(bytes)}` as const, size: bytes.length }
  const chunks = (await cutFile(file)) ?? []
  let at = 0
  for (const { id, size } of chunks) {
    expect(id === chunkId(bytes.subarray(at, at + size))).toBe(true)
    at += size
  }
  expect(at).toBe(bytes.length)
  expect(await cutFile({ path, size: bytes.length })).toEqual(chunks)
  expect(await cutFile({ ...file, digest: `sha256:${'0'.repeat(64)}` })).toBeUndefined()
  expect(await cutFile({ path, size: bytes.length - 1 })).toBeUndefined()
  await expect(cutFile({ path: join(folder, 'none'), size })).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(cutFile(file, AbortSignal.abort(new Error('over')))).rejects.toThrow('over')
})
