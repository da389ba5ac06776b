import { createRequire } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'
import { loadOfJest } from './load-of-jest.ts'
import { keepQueue } from './run/queued-files.ts'
import { type UsersSequencer, usersSequencer } from './run/users-sequencer.ts'
import { withoutWaits } from './run/without-waits.ts'
import type { GlobalConfig, QueuedTest, RunResults } from './types.ts'

interface Sequencer {
  shard?(tests: QueuedTest[], options: ShardOptions): QueuedTest[] | Promise<QueuedTest[]>
  sort(tests: QueuedTest[]): QueuedTest[] | Promise<QueuedTest[]>
  allFailedTests(tests: QueuedTest[]): QueuedTest[] | Promise<QueuedTest[]>
  cacheResults(tests: QueuedTest[], results: RunResults): void | Promise<void>
}

type SequencerClass = new (options?: SequencerOptions) => Sequencer

interface SequencerOptions {
  globalConfig: GlobalConfig
}

interface ShardOptions {
  shardIndex: number
  shardCount: number
}

interface ResolvePackage {
  resolveSequencer(
    resolver: undefined,
    options: { filePath: string; rootDir: string; requireResolveFunction: (path: string) => string },
  ): string
}

interface UtilPackage {
  requireOrImportModule(path: string): Promise<SequencerClass>
}

/**
 * Tells the global setup which test files will run: Jest sorts them before it. The order is that of the user's own sequencer, or of Jest's
 * default.
 */
export default class ModelCacheSequencer {
  private sequencer: Promise<Sequencer> | undefined
  private loaded: Sequencer | undefined

  /** Jest 29 gives no options. */
  constructor(private readonly options?: SequencerOptions) {}

  async shard(tests: QueuedTest[], options: ShardOptions): Promise<QueuedTest[]> {
    const sequencer = await this.load()
    if (sequencer.shard) return sequencer.shard(tests, options)
    const { shardIndex, shardCount } = options
    throw new TypeError(
      `Shard ${shardIndex}/${shardCount} requested, but test sequencer ${sequencer.constructor.name} has no shard method.`,
    )
  }

  async sort(tests: QueuedTest[]): Promise<QueuedTest[]> {
    return this.keep('sort', await (await this.load()).sort(tests))
  }

  /** With `--onlyFailures` Jest calls it with the sorted tests. */
  async allFailedTests(tests: QueuedTest[]): Promise<QueuedTest[]> {
    return this.keep('allFailedTests', await (await this.load()).allFailedTests(tests))
  }

  cacheResults(tests: QueuedTest[], results: RunResults): void | Promise<void> {
    return this.loaded?.cacheResults(tests, withoutWaits(tests, results))
  }

  private async load(): Promise<Sequencer> {
    this.sequencer ??= this.make()
    this.loaded = await this.sequencer
    return this.loaded
  }

  /** Keeps the tests for the global setup. Returns them. `method`: which method of the sequencer gave their order. */
  private keep(method: 'sort' | 'allFailedTests', tests: QueuedTest[]): QueuedTest[] {
    const { root, sequencer } = inConfig(this.options?.globalConfig)
    const isOrderOfUser = sequencer !== undefined && this.loaded?.[method] !== jestsOwn(root).prototype[method]
    keepQueue({ tests, isOrderOfUser })
    return tests
  }

  private async make(): Promise<Sequencer> {
    const Class = await sequencerClass(this.options?.globalConfig)
    return new Class(this.options)
  }
}

async function sequencerClass(config?: GlobalConfig): Promise<SequencerClass> {
  const { root, sequencer } = inConfig(config)
  if (sequencer === undefined) return jestsOwn(root)
  const { resolveSequencer } = loadOfJest<ResolvePackage>(root, 'jest-resolve', '@jest/core')
  const { requireOrImportModule } = loadOfJest<UtilPackage>(root, 'jest-util', '@jest/core')
  const requireResolveFunction = createRequire(join(root, 'package.json')).resolve
  const options = { filePath: sequencer, rootDir: root, requireResolveFunction }
  return requireOrImportModule(resolveSequencer(undefined, options))
}

/** The sequencer of the config, and its root. */
function inConfig(config?: GlobalConfig): UsersSequencer {
  return usersSequencer(config) ?? { root: config?.rootDir ?? process.cwd(), sequencer: undefined }
}

function jestsOwn(root: string): SequencerClass {
  return loadOfJest<{ default: SequencerClass }>(root, '@jest/test-sequencer', '@jest/core', 'jest-config').default
}
