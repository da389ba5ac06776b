import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { Cli } from '../support/cli.ts'
import { Engine } from '../support/engine.ts'
import { manyModels, writeCache } from '../support/many-models.ts'

test('an interrupted `clean` has exit code 130, releases its locks and leaves only whole models', async () => {
  const engine = await Engine.start(onTestFinished)
  // More models than one step removes.
  await writeCache(engine.cacheDir, manyModels(1100))
  const metadata = engine.inCache('cache_metadata.json')
  const before = await readFile(metadata, 'utf8')
  const child = new Cli(engine).start('clean', '--yes')
  const ended = once(child, 'exit')
  while ((await readFile(metadata, 'utf8')) === before && child.exitCode === null) await wait(1)
  child.kill('SIGINT')
  expect(await ended).toEqual([130, null])
  expect(await engine.listing('incoming')).toEqual([])
  const cache = engine.open()
  const left = await cache.list()
  expect(left.length).toBeGreaterThan(0)
  expect(left.length).toBeLessThan(1100)
  expect((await cache.verify()).problems).toEqual([])
  // A model that is not listed has no folder any more.
  const folders = new Set((await engine.listing('hub')).map((path) => path.split('/')[0]))
  expect(folders.size).toBe(left.length)
})

test('an interrupted `warm` has exit code 130 and releases its locks', async () => {
  const engine = await Engine.start(onTestFinished)
  engine.hub.addRepo('org/large', { files: { 'weights.bin': 'w'.repeat(5_000_000) } })
  engine.hub.throttle({ total: 500_000 })
  const child = new Cli(engine).start('warm', 'org/large')
  const ended = once(child, 'exit')
  while (!engine.hub.requests.some(({ kind }) => kind === 'resolve') && child.exitCode === null) await wait(5)
  child.kill('SIGINT')
  expect(await ended).toEqual([130, null])
  expect((await engine.listing('incoming')).filter((path) => path.endsWith('.lock'))).toEqual([])
})
