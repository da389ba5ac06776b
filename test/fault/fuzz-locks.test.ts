import { spawnSync } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { RequestEvent } from '../../src/cache/index.ts'
import { thisProcess } from '../../src/cache/store/locks/owner.ts'
import { DamagedCache } from '../support/damaged-cache.ts'
import { contentsOf } from '../support/engine.ts'
import { damage, FUZZ_TIMEOUT, spoil } from '../support/fuzz.ts'
import fc from '../support/property.ts'
import { makeRequest } from '../support/request.ts'

// A lock may have to be watched for 15 s before it counts as stale, so that many are tested at the same time.
const AT_ONCE = 24

test(
  'a lock may have any content: it is taken over, and the model is downloaded',
  async () => {
    const damaged = await DamagedCache.start(onTestFinished)
    const { engine } = damaged
    const { pid } = spawnSync(process.execPath, ['--version'])
    const valid = JSON.stringify({ id: '0123456789abcdef', ...thisProcess(), pid })
    for (let index = 0; index < AT_ONCE; index++)
      engine.hub.addRepo(`org/m${index}`, { files: { 'config.json': `${index}` } })
    const property = fc.asyncProperty(
      damage,
      fc.array(damage, { minLength: AT_ONCE, maxLength: AT_ONCE }),
      async (first, all) => {
        await damaged.write('cache_metadata.json.lock', spoil(valid, first))
        for (const [index, how] of all.entries())
          await damaged.write(`incoming/org%2Fm${index}.lock`, spoil(valid, how))
        const cache = engine.open()
        const [models] = await Promise.all([
          Promise.all(all.map((_, index) => cache.get(`org/m${index}`))),
          cache.recordUses([await usedNow(damaged)]),
        ])
        for (const [index, model] of models.entries())
          expect(await contentsOf(model)).toEqual({ 'config.json': `${index}` })
        expect(await readdir(engine.inCache('incoming'))).toEqual([])
        await damaged.heal()
      },
    )
    await fc.assert(property, { numRuns: 1, endOnFailure: true })
  },
  FUZZ_TIMEOUT,
)

/** A request to record; the record is written under the lock of the metadata. */
async function usedNow({ engine }: DamagedCache): Promise<RequestEvent> {
  const { repo, revision, commit, files, tier } = await engine.open({ offline: true }).get('org/kept')
  return makeRequest({ repo, revision, commit, tier, files: [...files] })
}
