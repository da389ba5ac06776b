import { basename, dirname } from 'node:path'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import type { CachedModel } from '../../src/cache/cached-model.ts'
import { contentsOf, Engine } from '../support/engine.ts'

// What happens at one instant in another process happens here before Node.js's own function does its work.
const before = vi.hoisted(() => ({ rename: async (_from: string, _to: string): Promise<void> => undefined }))

vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs/promises')>()
  const rename = async (from: string, to: string) => {
    await before.rename(from, to)
    return original.rename(from, to)
  }
  return { ...original, rename }
})

const FILES = { 'weights.bin': 'weights'.repeat(1000) }

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
})

test('a repo that a run claims while it moves to its new name stays where it is', async () => {
  engine.hub.addRepo('old/name', { files: FILES })
  await engine.open().get('old/name')
  engine.hub.renameRepo('old/name', 'new/name')
  let used: Promise<CachedModel> | undefined
  before.rename = async (from, to) => {
    const isMove = from.endsWith('models--old--name') || basename(dirname(to)) === 'renames'
    if (!isMove || used) return
    used = engine.open({ run: { id: 'live', pid: process.pid } }).get('old/name')
    await used
  }
  expect((await engine.open().get('new/name')).tier).toBe('hub')
  const model = await used
  expect(model && (await contentsOf(model))).toEqual(FILES)
  expect((await engine.open().list()).map(({ repo }) => repo)).toContain('old/name')
})

test.each(['old/name', 'new/name'])(
  'a move that was killed in the middle loses nothing: asked for as %s',
  async (name) => {
    engine.hub.addRepo('old/name', { files: FILES })
    await engine.open().get('old/name')
    engine.hub.renameRepo('old/name', 'new/name')
    before.rename = async (from) => {
      if (from.endsWith('models--old--name')) throw new Error('killed')
    }
    await expect(engine.open().get('new/name')).rejects.toThrow('killed')
    before.rename = async () => undefined
    expect((await engine.open().get(name)).downloadedBytes).toBe(0)
    expect((await engine.open().list()).map(({ repo }) => repo)).toEqual(['new/name'])
  },
)
