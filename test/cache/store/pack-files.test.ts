import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Layout } from '../../../src/cache/store/layout.ts'
import { PackWriter } from '../../../src/cache/store/packs/pack-file.ts'
import { writePackedModel } from '../../../src/cache/store/packs/packed-models.ts'
import { writeRecipe } from '../../../src/cache/store/packs/recipe.ts'
import { chunkId } from '../../../src/model/chunk-id.ts'
import { parseRepoId } from '../../../src/model/repo-id.ts'
import { parseCommit } from '../../../src/model/revision.ts'
import { snapshotOf } from '../../../src/model/snapshot.ts'

test('packing does not make a cache folder again that was removed meanwhile', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pack files '))
  onTestFinished(() => rm(folder, { recursive: true }))
  const layout = new Layout(join(folder, 'cache'))
  const bytes = Buffer.from('a chunk')
  const id = chunkId(bytes)
  const model = { repo: parseRepoId('org/name'), snapshot: snapshotOf(parseCommit('0'.repeat(40), 'A commit')) }
  const steps = [
    () => new PackWriter(layout).add(id, { coding: 0, bytes }, bytes.length),
    () => writeRecipe(layout, `sha1:${'0'.repeat(40)}`, { size: bytes.length, chunks: [id] }, () => true),
    () => writePackedModel(layout, model, { blobs: [], isSettled: true, record: {} }, () => true),
  ]
  for (const step of steps) await expect(step()).rejects.toMatchObject({ code: 'ENOENT' })
  expect(existsSync(layout.directory)).toBe(false)
})
