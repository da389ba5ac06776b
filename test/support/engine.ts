import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import type { CachedModel } from '../../src/cache/cached-model.ts'
import { type CacheOptions, ModelCache, ModelCacheError, type ModelSpec } from '../../src/cache/index.ts'
import { originKey } from '../../src/cache/store/origin.ts'
import { CacheProcess, type ProcessOptions } from './cache-process/index.ts'
import { type Hub, type HubOptions, type LoggedRequest, type Repository, startHub } from './hub/index.ts'
import { type EmbeddingModelOptions, makeEmbeddingModel } from './model-maker/index.ts'

/** Takes what is to be done when a test is over: Vitest's `onTestFinished`. */
type OnFinished = (callback: () => Promise<void>) => void

/** A loopback Hub, and a cache folder in which there is nothing yet. */
export class Engine {
  /** What all caches that were opened here warned of. */
  readonly warnings: string[] = []
  /** What they said of their decisions. */
  readonly decisions: string[] = []

  private constructor(
    readonly hub: Hub,
    readonly folder: string,
    private readonly onFinished: OnFinished,
  ) {}

  static async start(onFinished: OnFinished, options?: HubOptions): Promise<Engine> {
    const [hub, folder] = await Promise.all([startHub(options), mkdtemp(join(tmpdir(), 'engine test '))])
    onFinished(async () => {
      await hub.close()
      await rm(folder, { recursive: true, force: true })
    })
    return new Engine(hub, folder, onFinished)
  }

  get cacheDir(): string {
    return join(this.folder, 'cache')
  }

  /** A path in the cache folder. */
  inCache(...parts: string[]): string {
    return join(this.cacheDir, ...parts)
  }

  /** The path, in the cache folder, of what the Hub of a cache here answered. */
  inOrigin(...parts: string[]): string {
    return join('origins', originKey(this.hub.url), ...parts)
  }

  /** A cache over the folder, as another process would open it. */
  open(options: Partial<CacheOptions> & { concurrency?: number } = {}): ModelCache {
    return new ModelCache({
      ...this.plainOptions(options.concurrency),
      onWarning: (message) => this.warnings.push(message),
      onDebug: (message) => this.decisions.push(message),
      ...options,
    })
  }

  /** A real process over the cache folder. */
  async spawn(
    options: Partial<ProcessOptions> & { concurrency?: number } = {},
    environment?: NodeJS.ProcessEnv,
  ): Promise<CacheProcess> {
    const { concurrency, ...rest } = options
    const started = await CacheProcess.start({ ...this.plainOptions(concurrency), ...rest }, environment)
    this.onFinished(() => started.kill())
    return started
  }

  /** A repo with a made embedding model; its folder is `directory`. */
  async addEmbeddings(
    name: string,
    options: EmbeddingModelOptions = {},
    pipelineTag: string | undefined = 'feature-extraction',
  ): Promise<{ repository: Repository; directory: string }> {
    const { directory } = await makeEmbeddingModel(join(this.folder, 'made', name), options)
    return { directory, repository: this.hub.addRepo(name, { directory, pipelineTag }) }
  }

  /** The files that were asked for since the log was cleared, each as often as it was; redirects count once. */
  get filesAsked(): string[] {
    return this.hub.requests.filter(({ kind }) => kind === 'resolve').map(({ file }) => String(file))
  }

  /** Bytes of files that were sent. */
  get fileBytes(): number {
    return this.hub.bytesSent(({ kind, status }) => ['resolve', 'cdn'].includes(kind) && status === 200)
  }

  /** Everything below a folder of the cache but folders, by path and sorted. */
  async listing(...parts: string[]): Promise<string[]> {
    const folder = this.inCache(...parts)
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => !entry.isDirectory())
    return files.map((entry) => relative(folder, join(entry.parentPath, entry.name))).sort()
  }

  /** The records of `cache_metadata.json`, as they stand there. */
  async records(): Promise<Record<string, unknown>[]> {
    return JSON.parse(await readFile(this.inCache('cache_metadata.json'), 'utf8'))
  }

  /** Changes what was recorded of a repo. */
  async setRecord(repo: string, fields: Record<string, unknown>): Promise<void> {
    const records = await this.records()
    const changed = records.map((record) => (record.repo === repo ? { ...record, ...fields } : record))
    await writeFile(this.inCache('cache_metadata.json'), JSON.stringify(changed))
  }

  /** Makes `main` look as if the Hub had been asked so long ago, in milliseconds. */
  async ageMain(repo: string, ms: number): Promise<void> {
    const then = (Date.now() - ms) / 1000
    await utimes(this.inCache(this.inOrigin(`models--${repo.replace('/', '--')}`, 'refs/main')), then, then)
  }

  private plainOptions(concurrency = 8): CacheOptions {
    return {
      cacheDir: this.cacheDir,
      hub: { endpoint: this.hub.url, concurrency },
      offline: false,
      maxSize: 2 ** 31,
      maxAge: 7 * 86_400_000,
      // Neither the token nor the login of the machine's owner are for these tests.
      env: { HF_HOME: join(this.folder, 'no login') },
    }
  }
}

/** The paths of a model's files, sorted. */
export function pathsOf({ files }: CachedModel): string[] {
  return [...files.keys()].map(String).sort()
}

/** What stands in the files of a model, by path. */
export async function contentsOf(model: CachedModel): Promise<Record<string, string>> {
  const entries = pathsOf(model).map(async (path) => [path, await readFile(model.file(path), 'latin1')])
  return Object.fromEntries(await Promise.all(entries))
}

/** The error with which a request was refused; fails the test when it was not, or by another class. */
export async function refusalOf(request: Promise<unknown>): Promise<ModelCacheError> {
  const error = await request.then(
    () => new Error('It was not refused'),
    (thrown: unknown) => thrown,
  )
  if (error instanceof ModelCacheError) return error
  throw error
}

/** The name of a blob: sha256 for LFS files, git's sha1 for the others. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

export function gitSha1(content: string | Uint8Array): string {
  const bytes = Buffer.from(content)
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

/** How many of the requests were under way at once, at most. */
export function mostAtOnce(requests: readonly LoggedRequest[]): number {
  return Math.max(
    0,
    ...requests.map(
      ({ time }) => requests.filter((other) => other.time <= time && (other.endTime ?? Infinity) > time).length,
    ),
  )
}

/** The spec of one model, with files by glob. */
export function filesOf(repo: string, ...files: string[]): ModelSpec {
  return { repo, files }
}
