import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { DamagedCache } from '../support/damaged-cache.ts'
import type { Engine } from '../support/engine.ts'
import { FUZZ_TIMEOUT, hostileText } from '../support/fuzz.ts'
import fc from '../support/property.ts'

const REPO = 'hub/models--org--target'
const NAMES = ['a'.repeat(40), 'f'.repeat(64), 'models--org--kept', 'models--..--..', 'main.x']
const IN_CACHE = ['hub', 'leases', 'runs'] as const
const IN_REPO = ['refs', 'refs/deep', 'snapshots', 'files', 'files/deep', 'blobs', 'trees'] as const

/** A file, folder or link that another tool put into the cache folder. */
interface ForeignItem {
  name: string
  where: (typeof IN_CACHE | typeof IN_REPO)[number]
  what: 'file' | 'folder' | 'dangling link' | 'link to a file' | 'link to a folder'
}

const foreignItem: fc.Arbitrary<ForeignItem> = fc.record({
  name: fc
    .oneof(hostileText, fc.constantFrom(...NAMES))
    .map((text) => text.replaceAll(/[/\0]/g, ''))
    .filter((name) => !['', '.', '..'].includes(name) && Buffer.byteLength(name) <= 200),
  where: fc.constantFrom(...IN_CACHE, ...IN_REPO),
  what: fc.constantFrom('file', 'folder', 'dangling link', 'link to a file', 'link to a folder'),
})

test(
  'no model is lost if the cache folder contains foreign files, folders and links of any name',
  async () => {
    const damaged = await DamagedCache.start(onTestFinished)
    const { engine } = damaged
    await damaged.check(20, [fc.array(foreignItem, { minLength: 1, maxLength: 3 })], async (items) => {
      await damaged.reset()
      const commit = await damaged.read(`${REPO}/refs/main`)
      for (const one of items) await put(engine, commit, one)
      await rm(engine.inCache('cache_metadata.json'))
      const repos = (await engine.open().list()).map(({ repo }) => String(repo))
      expect(repos).toEqual(expect.arrayContaining(['org/kept', 'org/target']))
      await damaged.useOffline()
      await damaged.heal()
      await damaged.clear()
      await damaged.heal()
    })
  },
  FUZZ_TIMEOUT,
)

async function put({ cacheDir, folder }: Engine, commit: string, { name, where, what }: ForeignItem): Promise<void> {
  const isTop = IN_CACHE.some((top) => top === where)
  const parent = isTop ? where : join(REPO, where.replace('files', `snapshots/${commit}`))
  const path = join(cacheDir, parent, name)
  await mkdir(dirname(path), { recursive: true })
  const make: Record<typeof what, () => Promise<unknown>> = {
    file: () => writeFile(path, 'strange', { flag: 'wx' }),
    folder: () => mkdir(path),
    'dangling link': () => symlink('nowhere', path),
    'link to a file': () => symlink(join(folder, 'beside/canary.txt'), path),
    'link to a folder': () => symlink(join(folder, 'beside'), path),
  }
  // An existing file is kept.
  await make[what]().catch(() => undefined)
}
