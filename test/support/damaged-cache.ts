import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { outputFile } from 'fs-extra/esm'
import { expect } from 'vitest'
import type { ModelCache } from '../../src/cache/index.ts'
import { contentsOf, Engine } from './engine.ts'
import { cases, tolerated } from './fuzz.ts'
import fc from './property.ts'
import { removeFolder } from './remove-folder.ts'

const FILES = {
  'config.json': '{"model_type":"bert"}',
  'onnx/model.onnx': 'weights '.repeat(50),
  'tokenizer.json': '{}',
  'tokenizer_config.json': '{}',
}
const KEPT = { 'config.json': '{"kept":true}', 'deep/weights.bin': 'kept weights' }

/**
 * A cache for tests that damage files of `org/target`. The other model, `org/kept`, is pinned and must stay unchanged, and so
 * must the files beside the cache folder.
 */
export class DamagedCache {
  private constructor(
    readonly engine: Engine,
    private readonly besides: Record<string, string>,
  ) {}

  static async start(onFinished: (callback: () => Promise<void>) => void): Promise<DamagedCache> {
    const engine = await Engine.start(onFinished)
    engine.hub.addRepo('org/target', { files: FILES, pipelineTag: 'feature-extraction' })
    engine.hub.addRepo('org/kept', { files: KEPT })
    for (const name of ['canary.txt', 'refs/main', 'blobs/canary', 'cache_metadata.json'])
      await outputFile(join(engine.folder, 'beside', name), `The canary ${name}`)
    await outputFile(join(engine.folder, 'canary.txt'), 'A canary')
    const damaged = new DamagedCache(engine, await contentsBeside(engine))
    await damaged.heal()
    return damaged
  }

  /** Checks the property in `count` cases. After a failure the cache is reset, so that shrinking starts from a clean cache. */
  async check<T extends [unknown, ...unknown[]]>(
    count: number,
    arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
    property: (...values: T) => Promise<void>,
  ): Promise<void> {
    const isolated = async (...values: T) => {
      try {
        await property(...values)
      } catch (error) {
        await this.reset()
        throw error
      }
    }
    await fc.assert(fc.asyncProperty<T>(...arbitraries, isolated), cases(count))
  }

  /** Removes the cache folder, and downloads the two models again. */
  async reset(): Promise<void> {
    await removeFolder(this.engine.cacheDir)
    await this.heal()
  }

  /** Calls all verbs that read the files on disk. Each must work or throw a ModelCacheError. */
  async useOffline(): Promise<void> {
    const cache = this.engine.open({ offline: true })
    await tolerated(cache.list())
    await tolerated(cache.has('org/target'))
    await tolerated(cache.statistics())
    await this.expectRight(cache, 'org/target')
    await this.expectRight(cache, { repo: 'org/target', task: 'feature-extraction' })
    await tolerated(cache.lastRuns('/project', 3))
    await this.expectKept()
  }

  /** Enforces a limit below the present size, then removes each listed model except the pinned one. */
  async clear(): Promise<void> {
    const cache = this.engine.open({ maxSize: 1 })
    await tolerated(cache.maintain({ isOver: true }))
    await this.expectKept()
    const entries = (await tolerated(cache.list())) ?? []
    for (const { repo } of entries) if (repo !== 'org/kept') await tolerated(cache.remove(repo))
    await tolerated(cache.remove('org/target'))
    await this.expectKept()
  }

  /** An online cache must serve both models with the right files, whatever was damaged before. */
  async heal(): Promise<void> {
    const cache = this.engine.open()
    expect(await contentsOf(await cache.get('org/target'))).toEqual(FILES)
    await cache.warm([{ repo: 'org/kept', pin: true }])
    await this.expectKept()
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
    expect(await contentsBeside(this.engine)).toEqual(this.besides)
  }

  async expectKept(): Promise<void> {
    expect(await contentsOf(await this.engine.open({ offline: true }).get('org/kept'))).toEqual(KEPT)
  }

  /** If the target is served, its files must be those of the Hub. */
  async expectRight(cache: ModelCache, model: Parameters<ModelCache['get']>[0]): Promise<void> {
    const served = await tolerated(cache.get(model))
    if (!served) return
    const contents = await contentsOf(served)
    expect(FILES).toMatchObject(contents)
  }

  async read(path: string): Promise<string> {
    return readFile(this.engine.inCache(path), 'utf8')
  }

  async write(path: string, content: string | Uint8Array): Promise<void> {
    await outputFile(this.engine.inCache(path), content)
  }
}

/** All files beside the cache folder, by path. */
async function contentsBeside({ folder, cacheDir }: Engine): Promise<Record<string, string>> {
  const contents: Record<string, string> = {}
  const visit = async (directory: string): Promise<void> => {
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name)
      if (path === cacheDir) continue
      if (entry.isDirectory()) await visit(path)
      contents[path] = entry.isFile() ? await readFile(path, 'utf8') : entry.name
    }
  }
  await visit(folder)
  return contents
}
