import { randomBytes } from 'node:crypto'
import { realpath, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { matchesDigest } from '../../src/cache/store/blobs.ts'
import { digestOfBlobName } from '../../src/model/digest.ts'
import { Engine } from '../support/engine.ts'

// More of them by `KILLS=300 npx vitest run test/fault/kill.test.ts`.
const KILLS = Number(process.env.KILLS ?? 10)
const MEGABYTE = 1 << 20

const FILES = Object.fromEntries([
  ...Array.from({ length: 20 }, (_, index) => [`small/${index}.json`, randomBytes(500 + index)]),
  ...Array.from({ length: 4 }, (_, index) => [`weights-${index}.bin`, randomBytes(2 * MEGABYTE + index)]),
])

/** All files that are visible as part of a model, and whether each is what its blob's name says. */
async function visibleFiles(engine: Engine): Promise<{ path: string; isRight: boolean }[]> {
  const paths = (await engine.listing('hub').catch(() => [])).filter((path) => path.includes('/snapshots/'))
  return Promise.all(
    paths.map(async (path) => {
      const blob = await realpath(engine.inCache('hub', path))
      const digest = digestOfBlobName(basename(blob))
      const { size } = await stat(blob)
      return { path, isRight: digest !== undefined && (await matchesDigest(blob, digest, size)) }
    }),
  )
}

test(
  `${KILLS} kills at random instants of a cold get leave nothing half-visible, and lose nothing that was complete`,
  async () => {
    let wasCut = 0
    for (let round = 0; round < KILLS; round++) {
      const engine = await Engine.start((done) => onTestFinished(done))
      engine.hub.addRepo('org/name', { files: FILES })
      engine.hub.addRepo('org/complete', { files: { 'config.json': '{}' } })
      await engine.open().get('org/complete')
      // Slow enough for an instant in the middle: some 10 MB at 40 MB/s.
      engine.hub.throttle({ total: 40 * MEGABYTE })
      const asker = await engine.spawn('org/name')
      asker.begin()
      await wait(Math.random() * 350)
      await asker.kill()
      engine.hub.throttle({})
      const visible = await visibleFiles(engine)
      expect(visible.filter(({ isRight }) => !isRight)).toEqual([])
      wasCut += visible.length < Object.keys(FILES).length + 1 ? 1 : 0
      engine.hub.clearRequests()
      expect((await engine.open().get('org/complete')).tier).toBe('disk')
      expect(engine.hub.requests).toEqual([])
      const model = await engine.open().get('org/name')
      expect(model.files.size).toBe(Object.keys(FILES).length)
      expect((await visibleFiles(engine)).every(({ isRight }) => isRight)).toBe(true)
      expect(engine.warnings).toEqual([])
    }
    // Else the instants did not hit what they are for.
    expect(wasCut).toBeGreaterThan(0)
  },
  KILLS * 10_000,
)
