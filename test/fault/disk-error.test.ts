import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { Engine, refusalOf } from '../support/engine.ts'

// No system offers a disk that fails once and then works again, so a function of Node.js is made to fail instead.
const disk = vi.hoisted(() => ({ writes: 0, failsAt: 0 }))

vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs/promises')>()
  const open: typeof original.open = async (...args) => {
    const file = await original.open(...args)
    const writev = file.writev.bind(file)
    file.writev = (...rest) =>
      ++disk.writes === disk.failsAt
        ? Promise.reject(Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' }))
        : writev(...rest)
    return file
  }
  return { ...original, open }
})

const MEGABYTE = 1 << 20
const WEIGHTS = randomBytes(40 * MEGABYTE)

let engine: Engine

beforeEach(async () => {
  engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/large', { files: { 'weights.bin': WEIGHTS } })
  engine.hub.throttle({ perConnection: 20 * MEGABYTE })
  disk.writes = 0
})

afterEach(() => {
  disk.failsAt = 0
})

test.each([12, 16, 24])('a file is not published if its write %i failed', async (failsAt) => {
  disk.failsAt = failsAt
  const refusal = await refusalOf(engine.open().get('org/large'))
  expect(refusal).toMatchObject({ code: 'CACHE_UNUSABLE', reason: expect.stringContaining('EIO') })
  expect((await engine.listing('hub')).filter((path) => /blobs|snapshots/.test(path))).toEqual([])
  const model = await engine.open().get('org/large')
  expect(Buffer.compare(await readFile(model.file('weights.bin')), WEIGHTS)).toBe(0)
})
