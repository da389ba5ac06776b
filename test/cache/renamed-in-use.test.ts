import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { thisProcess } from '../../src/cache/store/locks/owner.ts'
import { contentsOf, Engine } from '../support/engine.ts'

// These functions run right before Node.js's own. With them, a test lets another process act, or be killed, at this instant.
const before = vi.hoisted(() => ({
  rename: async (_from: string, _to: string): Promise<void> => undefined,
  renameSync: (_from: string, _to: string): void => undefined,
}))

vi.mock('node:fs', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs')>()
  const renameSync = (from: string, to: string) => {
    before.renameSync(from, to)
    original.renameSync(from, to)
  }
  return { ...original, renameSync }
})

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

test('a repo that a run claims while it is being moved to its new name is not moved', async () => {
  engine.hub.addRepo('old/name', { files: FILES })
  const { commit } = await engine.open().get('old/name')
  engine.hub.renameRepo('old/name', 'new/name')
  // Right before the rename is stored, a process of a live run writes its lease.
  const lease = JSON.stringify({ ...thisProcess(), entries: [`old/name@${commit}`] })
  before.renameSync = (_from, to) => {
    if (basename(dirname(to)) !== 'renames') return
    mkdirSync(engine.inCache('leases'), { recursive: true })
    writeFileSync(engine.inCache('leases', `live.${process.pid}-0.json`), lease)
  }
  expect((await engine.open().get('new/name')).tier).toBe('hub')
  before.renameSync = () => undefined
  expect(await contentsOf(await engine.open({ offline: true }).get('old/name'))).toEqual(FILES)
  expect((await engine.open().list()).map(({ repo }) => repo)).toContain('old/name')
})

test.each(['old/name', 'new/name'])(
  'a move that was killed in the middle loses nothing, and the repo is found as %s',
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

test.each(['the files', 'the records'])(
  'a move that was killed before %s were moved is finished offline',
  async (last) => {
    const { commit } = engine.hub.addRepo('old/name', { files: FILES })
    await engine.open().get('old/name')
    const recorded = await readFile(engine.inCache('cache_metadata.json'))
    engine.hub.renameRepo('old/name', 'new/name')
    await engine.open().get('new/name')
    const [old, now] = ['models--old--name', 'models--new--name'].map((name) => engine.inCache('hub', name))
    if (last === 'the files') renameSync(String(now), String(old))
    await writeFile(engine.inCache('cache_metadata.json'), recorded)
    engine.hub.clearRequests()
    for (const name of ['old/name', 'new/name', `old/name@${commit}`])
      expect(await contentsOf(await engine.open({ offline: true }).get(name))).toEqual(FILES)
    expect((await engine.open().list()).map(({ repo }) => repo)).toEqual(['new/name'])
    expect(engine.hub.requests).toEqual([])
  },
)
