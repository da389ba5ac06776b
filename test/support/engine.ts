import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import type { CachedModel } from '../../src/cache/cached-model.ts'
import { type CacheOptions, ModelCache, ModelCacheError, type ModelSpec } from '../../src/cache/index.ts'
import { originKey } from '../../src/model/origin-key.ts'
import { CacheProcess, type ProcessOptions } from './cache-process/index.ts'
import { type Hub, type HubOptions, type LoggedRequest, type Repository, startHub } from './hub/index.ts'
import { type EmbeddingModelOptions, makeEmbeddingModel } from './model-maker/index.ts'
import { removeFolder } from './remove-folder.ts'

/** Registers a callback for the end of a test: `onTestFinished` of Vitest. */
type OnFinished = (callback: () => Promise<void>) => void

/** A loopback Hub and an empty cache folder. */
export class Engine {
  /** The warnings of all caches that were opened here. */
  readonly warnings: string[] = []
  /** Their debug messages. */
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
      await removeFolder(folder)
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

  /** A path inside the folder of this Hub's responses, relative to the cache folder. */
  inOrigin(...parts: string[]): string {
    return join('origins', originKey(this.hub.url), ...parts)
  }

  /** Opens a new cache over the folder, as another process would. */
  open(options: Partial<CacheOptions> & { concurrency?: number } = {}): ModelCache {
    return new ModelCache({
      ...this.plainOptions(options.concurrency),
      onWarning: (message) => this.warnings.push(message),
      onDebug: (message) => this.decisions.push(message),
      ...options,
    })
  }

  /** Starts a separate process over the cache folder. */
  async spawn(
    options: Partial<ProcessOptions> & { concurrency?: number } = {},
    environment?: NodeJS.ProcessEnv,
  ): Promise<CacheProcess> {
    const { concurrency, ...rest } = options
    const started = await CacheProcess.start({ ...this.plainOptions(concurrency), ...rest }, environment)
    this.onFinished(() => started.kill())
    return started
  }

  /** Adds a repo with a generated embedding model; `directory` is the folder of the model. */
  async addEmbeddings(
    name: string,
    options: EmbeddingModelOptions = {},
    pipelineTag: string | undefined = 'feature-extraction',
  ): Promise<{ repository: Repository; directory: string }> {
    const { directory } = await makeEmbeddingModel(join(this.folder, 'made', name), options)
    return { directory, repository: this.hub.addRepo(name, { directory, pipelineTag }) }
  }

  /** The requested files since the log was cleared; a file appears once for each request, and redirects count once. */
  get filesAsked(): string[] {
    return this.hub.requests.filter(({ kind }) => kind === 'resolve').map(({ file }) => String(file))
  }

  /** The bytes of all files that the Hub sent. */
  get fileBytes(): number {
    return this.hub.bytesSent(({ kind, status }) => ['resolve', 'cdn'].includes(kind) && status === 200)
  }

  /** The sorted paths of all files and links below a folder of the cache. */
  async listing(...parts: string[]): Promise<string[]> {
    const folder = this.inCache(...parts)
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => !entry.isDirectory())
    return files.map((entry) => relative(folder, join(entry.parentPath, entry.name))).sort()
  }

  /** The raw records of `cache_metadata.json`. */
  async records(): Promise<Record<string, unknown>[]> {
    return JSON.parse(await readFile(this.inCache('cache_metadata.json'), 'utf8'))
  }

  /** Changes fields in the record of a repo. */
  async setRecord(repo: string, fields: Record<string, unknown>): Promise<void> {
    const records = await this.records()
    const changed = records.map((record) => (record.repo === repo ? { ...record, ...fields } : record))
    await writeFile(this.inCache('cache_metadata.json'), JSON.stringify(changed))
  }

  /** Sets the time at which `main` was resolved to `ms` milliseconds ago. */
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
      // The tests must not use the token or the login of the machine's owner.
      env: { HF_HOME: join(this.folder, 'no login') },
    }
  }
}

/** The paths of a model's files, sorted. */
export function pathsOf({ files }: CachedModel): string[] {
  return [...files.keys()].map(String).sort()
}

/** The contents of a model's files, by path. */
export async function contentsOf(model: CachedModel): Promise<Record<string, string>> {
  const entries = pathsOf(model).map(async (path) => [path, await readFile(model.file(path), 'latin1')])
  return Object.fromEntries(await Promise.all(entries))
}

/** The error of a refused request. Fails the test if the request succeeds or throws another class of error. */
export async function refusalOf(request: Promise<unknown>): Promise<ModelCacheError> {
  const error = await request.then(
    () => new Error('The request was not refused'),
    (thrown: unknown) => thrown,
  )
  if (error instanceof ModelCacheError) return error
  throw error
}

/** The name of the blob of an LFS file. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/** The name of the blob of a file that is not stored with LFS: git's sha1. */
export function gitSha1(content: string | Uint8Array): string {
  const bytes = Buffer.from(content)
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

/** The largest number of these requests that were in progress at the same time. */
export function mostAtOnce(requests: readonly LoggedRequest[]): number {
  return Math.max(
    0,
    ...requests.map(
      ({ time }) => requests.filter((other) => other.time <= time && (other.endTime ?? Infinity) > time).length,
    ),
  )
}

/** The spec of a model whose files are selected by globs. */
export function filesOf(repo: string, ...files: string[]): ModelSpec {
  return { repo, files }
}
