import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { defineRemote } from '../../src/index.ts'
import { printLockFile } from '../../src/model/lock-file.ts'
import { toModel } from '../../src/model/model.ts'
import { contentsOf, Engine } from '../support/engine.ts'
import { cases, type Damage, damage, FUZZ_TIMEOUT, spoil, tolerated } from '../support/fuzz.ts'
import { MemoryRemote } from '../support/memory-remote.ts'
import fc from '../support/property.ts'
import { removeFolder } from '../support/remove-folder.ts'

const FILES = { 'config.json': '{"version":1}', 'large.bin': 'x'.repeat(270_000), 'small.bin': 'small' }

/** What an attacker does to an object: changes it, puts another one of the remote in its place, or removes it. */
type Attack = { damage: Damage } | { swapWith: number } | 'remove'

const attack: fc.Arbitrary<Attack> = fc.oneof(
  fc.record({ damage }),
  fc.record({ swapWith: fc.nat(99) }),
  fc.constant<Attack>('remove'),
)
const attacks = fc.array(fc.tuple(fc.nat(99), attack), { minLength: 1, maxLength: 3 })

test('a remote with damaged, swapped or missing objects never gives a wrong file', {
  timeout: FUZZ_TIMEOUT,
}, async () => {
  const engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/name', { files: FILES })
  engine.hub.addRepo('org/other', { files: { ...FILES, 'config.json': '{"version":0}' } })
  const env = { HF_HOME: join(engine.folder, 'no login'), MODEL_CACHE_REMOTE_KEY: 'k'.repeat(40) }
  const settings = { timeoutMs: 60_000, uploadPrivate: false }
  const filled = new MemoryRemote()
  const first = engine.open({ env, remote: { store: defineRemote(filled), ...settings } })
  for (const name of ['org/name', 'org/other']) await first.get(name)
  await first.push()
  const lockfile = join(engine.folder, 'models.lock.json')
  await writeFile(lockfile, printLockFile({ models: [await first.state(toModel('org/name'))] }))
  let number = 0
  const outcomes = { right: 0, refused: 0 }

  const gets = async (chosen: [number, Attack][], isLocked: boolean) => {
    const folder = join(engine.folder, `case ${++number}`)
    const objects = attacked(filled, chosen)
    for (const [key, bytes] of objects) {
      await mkdir(dirname(join(folder, 'share', key)), { recursive: true })
      await writeFile(join(folder, 'share', key), bytes)
    }
    const remote = { url: pathToFileURL(join(folder, 'share')).href, ...settings }
    const cache = engine.open({
      cacheDir: join(folder, 'cache'),
      env,
      remote,
      offline: true,
      ...(isLocked && { lockfile }),
    })
    const model = await tolerated(cache.get('org/name'))
    outcomes[model ? 'right' : 'refused']++
    if (model) expect(await contentsOf(model)).toEqual(FILES)
    await removeFolder(folder)
  }
  await fc.assert(fc.asyncProperty(attacks, fc.boolean(), gets), cases(200))
  // Some attacks hit an object that is not needed.
  expect(Math.min(outcomes.right, outcomes.refused)).toBeGreaterThan(3)
})

function attacked({ objects, keys }: MemoryRemote, attacks: [number, Attack][]): Map<string, Uint8Array> {
  const result = new Map(objects)
  const keyAt = (index: number) => keys[index % keys.length] ?? ''
  for (const [at, how] of attacks) {
    const key = keyAt(at)
    const content = Buffer.from(objects.get(key) ?? '')
    if (how === 'remove') result.delete(key)
    else if ('swapWith' in how) result.set(key, objects.get(keyAt(how.swapWith)) ?? content)
    else result.set(key, spoil(content.toString('latin1'), how.damage))
  }
  return result
}
