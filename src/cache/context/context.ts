import type { Validation } from '../../config/options.ts'
import { type EntryFile, type EntryId, entryKey } from '../../model/entry.ts'
import { type ModelCacheError, messageOf } from '../../model/errors.ts'
import { printableLines } from '../../model/printable.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Evicted } from '../../model/request.ts'
import type { Commit } from '../../model/revision.ts'
import type { Tree } from '../../model/tree.ts'
import type { Fetch } from '../../net/fetch.ts'
import type { Remote } from '../../remote/remote.ts'
import type { RepoInfo } from '../store/answers/repo-info.ts'
import type { FileStamp } from '../store/blobs.ts'
import { isWritable, refusalOf } from '../store/cache-folder.ts'
import type { Metadata } from '../store/entries/metadata.ts'
import { type HubFolder, Layout } from '../store/layout.ts'
import { Lease } from '../store/locks/leases.ts'
import { Origin } from '../store/origin.ts'
import { whoElseWrites } from '../store/shared-folder.ts'
import type { ConnectionBudget } from './connections.ts'
import type { DecidedPath } from './decided-path.ts'
import { KnownRefusals } from './known-refusals.ts'
import type { CacheOptions } from './options.ts'
import type { Progress } from './progress.ts'
import { Silence } from './silence.ts'

/** An answer that this process got from the endpoint about a model. */
export interface EndpointAnswer {
  repo: RepoId
  commit: Commit
  tree: Tree
  info: RepoInfo
  /** When it arrived: milliseconds of the monotonic clock. */
  at: number
}

/** The settings and services that all verbs of the engine share. Most are loaded on first use: a hit from the manifest needs few. */
export class CacheContext {
  readonly layout: Layout
  readonly debug: (message: string) => void
  readonly warn: (message: string) => void
  readonly #lease: Lease | undefined
  #metadata: Promise<Metadata> | undefined
  #connections: Promise<ConnectionBudget> | undefined
  #fetch: Promise<Fetch> | undefined
  #otherCaches: Promise<HubFolder[]> | undefined
  #remote: Promise<Remote | undefined> | undefined
  #openedRemote: { remote: Remote | undefined } | undefined
  #temporary: Promise<CacheContext> | undefined
  #refusal: { error: ModelCacheError | undefined } | undefined
  /** True when this cache, or the temporary cache that replaces it, prepared requests to the Hub. A warm-up sets it to false first. */
  hasAskedHub = false
  /** The progress of the current downloads by `describeModel`, including those of a temporary cache that replaces this one. */
  readonly underWay: Map<string, Progress>
  /** Also that of a temporary cache that replaces this one. */
  readonly silence: Silence
  /** The latest refusals of the Hub. */
  readonly refusals = new KnownRefusals()
  readonly #warned = new Set<string>()
  readonly #verified = new Map<string, Promise<boolean>>()
  /** By path: the stamps of files in a read-only folder that differ from their records and that this process verified. */
  readonly verifiedStamps = new Map<string, FileStamp>()
  /** By the path of a cached file: the path that a runtime is to open for it. */
  readonly pathsToLoad = new Map<string, DecidedPath>()
  #origin: Origin | undefined
  #evicted: Evicted = { models: [], bytes: 0 }
  readonly #writers = new Map<string, string | undefined>()
  /** The endpoint's answers to this process, by `modelKey`. */
  readonly receivedAnswers = new Map<string, EndpointAnswer>()
  /** The stored listings that this process has read, by `repo@commit`. */
  readonly trees = new Map<string, Tree>()
  /** The `repo@commit` keys for which this process asked who may read the repo, and got no answer. */
  readonly failedAccessChecks = new Set<string>()

  /** `standsInFor`: the cache that this temporary one replaces, because its folder can't be used. */
  constructor(
    readonly options: CacheOptions,
    readonly standsInFor?: CacheContext,
  ) {
    this.layout = new Layout(options.cacheDir)
    this.underWay = standsInFor?.underWay ?? new Map()
    this.silence = standsInFor?.silence ?? new Silence()
    this.#lease = options.run && new Lease(this.layout, options.run)
    const { onDebug } = options
    this.debug = onDebug ? (message) => onDebug(printableLines(message)) : () => undefined
    this.warn = (message) => {
      if (this.#warned.has(message)) return
      this.#warned.add(message)
      options.onWarning?.(printableLines(message))
    }
  }

  /** The models that were evicted since the last `takeEvicted`. */
  get evicted(): Evicted {
    return this.#evicted
  }

  /** Returns `evicted`, and empties it. */
  takeEvicted(): Evicted {
    const evicted = this.#evicted
    this.#evicted = { models: [], bytes: 0 }
    return evicted
  }

  /** The metadata reader. Loaded on first use, because a hit from the manifest does not need it. */
  metadata(): Promise<Metadata> {
    this.#metadata ??= import('../store/entries/metadata.ts').then(
      ({ Metadata }) => new Metadata(this.layout, this.warn, this.options.hub.endpoint),
    )
    return this.#metadata
  }

  /** The stored answers of the endpoint that the options name. */
  get origin(): Origin {
    this.#origin ??= new Origin(this.layout, this.options.hub.endpoint)
    return this.#origin
  }

  /** The connection budget for the downloads of all models: `hub.concurrency` connections. */
  connections(): Promise<ConnectionBudget> {
    this.#connections ??= import('./connections.ts').then(({ openConnections }) =>
      openConnections(this.options.hub.concurrency),
    )
    return this.#connections
  }

  /** How the files of an entry are checked before they are served. In a folder into which others can write, `stat` becomes `digest`. */
  async validation(entry: EntryId): Promise<Validation> {
    const { validate = 'stat' } = this.options
    return validate === 'stat' && (await this.whoElseWrites(entry)) ? 'digest' : validate
  }

  /**
   * Who else can write to the cache folder or to the entry, see `shared-folder.ts`. Checked once per entry and process, and
   * for the models of a manifest by the warm-up. Undefined when
   * nobody else can, and with `validate: 'none'`.
   */
  async whoElseWrites(entry: EntryId): Promise<string | undefined> {
    if (this.options.validate === 'none') return undefined
    const key = entryKey(entry)
    const warmed = this.options.manifest?.models.find((model) => entryKey(model) === key)
    if (warmed) return warmed.whoElseWrites
    if (!this.#writers.has(key)) {
      if (!this.#writers.has('')) this.#writers.set('', whoElseWrites(this))
      this.#writers.set(key, this.#writers.get('') ?? whoElseWrites(this, entry))
    }
    return this.#writers.get(key)
  }

  /** True when the file has the recorded digest. The result is kept for as long as size, time and inode stay the same. */
  isVerified(file: string, { digest, size, mtimeMs, ino }: EntryFile): Promise<boolean> {
    const key = [file, digest, mtimeMs, ino].join(' ')
    const known = this.#verified.get(key)
    if (known) return known
    const verified = import('../store/blobs.ts').then(({ matchesDigest }) => matchesDigest(file, digest, size))
    this.#verified.set(key, verified)
    // A read error is not kept: the next call reads again.
    verified.catch(() => this.#verified.delete(key))
    return verified
  }

  /** Other caches from which files may be adopted. */
  otherCaches(): Promise<HubFolder[]> {
    this.#otherCaches ??= import('../store/other-caches.ts').then(({ findOtherCaches }) =>
      findOtherCaches(this.layout, { ...this.options, env: this.env }),
    )
    return this.#otherCaches
  }

  /**
   * The cache that machines share, opened on first use. Undefined when there is none, or when it can't be opened. When the cache is offline,
   * only a folder is used.
   */
  async remote(): Promise<Remote | undefined> {
    const { remote } = this.options
    if (!remote || this.isRemoteOffline) return undefined
    if (this.standsInFor) return this.standsInFor.remote()
    this.#remote ??= import('./remote.ts').then(async ({ openRemoteOf }) => {
      this.#openedRemote = { remote: await openRemoteOf(this, remote) }
      return this.#openedRemote.remote
    })
    return this.#remote
  }

  /** True when the cache is offline, and its remote is not a folder, which is read without a request. */
  get isRemoteOffline(): boolean {
    const { remote, offline } = this.options
    return offline && !remote?.url?.startsWith('file:')
  }

  /** True when this process could not open the remote, or has left it alone. */
  get isRemoteUnusable(): boolean {
    const opened = this.#openedRemote
    return opened !== undefined && (!opened.remote || opened.remote.leftAlone !== undefined)
  }

  /** The error of a folder in which nothing may be changed. Undefined for a cache folder and one that may become one. Checked once. */
  get refusal(): ModelCacheError | undefined {
    this.#refusal ??= { error: refusalOf(this.layout) }
    return this.#refusal.error
  }

  /** This cache, or the temporary cache that replaces it when its folder is refused. Throws `refusal` when the options allow none. */
  async usable(): Promise<CacheContext> {
    const { refusal } = this
    if (!refusal) return this
    const temporary = await this.temporary(refusal.message)
    if (!temporary) throw refusal
    return temporary
  }

  /** The temporary cache, if it replaces this one already. */
  get openedTemporary(): Promise<CacheContext> | undefined {
    return this.#temporary
  }

  /** The temporary cache for this run, used when the cache folder can't take a model. Undefined when the options allow none. */
  temporary(reason: string): Promise<CacheContext> | undefined {
    const { run, whenUnusable } = this.options
    if (whenUnusable !== 'temporary' || !run) return undefined
    this.#temporary ??= this.#openTemporary(run.id, reason)
    return this.#temporary
  }

  /** Opens a cache for one run. All processes of the run share it, and it adopts files from this cache. */
  async #openTemporary(runId: string, reason: string): Promise<CacheContext> {
    const { cacheDir: own, hub, adoptFrom = [], manifest } = this.options
    const { makeTemporaryFolder } = await import('../store/temporary-folder.ts')
    const { cacheDir, isNew } = await makeTemporaryFolder({ cacheDir: own, endpoint: hub.endpoint, runId })
    // Only the process that made the folder warns.
    const tell = isNew ? this.warn : this.debug
    tell(`${reason} Until this is solved, each run downloads missing files into a temporary folder.`)
    const options: CacheOptions = {
      ...this.options,
      cacheDir,
      adoptFrom: [this.layout.hub, ...adoptFrom],
      // The failures of the warm-up apply here too. Its models are in the other folder.
      manifest: manifest && { models: [], failures: manifest.failures },
      whenUnusable: 'error',
    }
    return new CacheContext(options, this)
  }

  /**
   * Claims entries for the run of this cache, if it has one. True when an entry was not claimed before. When the claim can't be written,
   * this warns, and the entries can be used all the same.
   */
  async claim(...entries: EntryId[]): Promise<boolean> {
    if (this.refusal) return false
    try {
      return (await this.#lease?.claim(entries.map(entryKey))) ?? false
    } catch (error) {
      const repos = [...new Set(entries.map(({ repo }) => repo))].join(', ')
      // From a read-only folder no run can remove anything, so that is no reason to warn.
      const tell = isWritable(this.layout) ? this.warn : this.debug
      tell(`${repos} could not be claimed for this run, so another run may remove the files: ${messageOf(error)}.`)
      return false
    }
  }

  /** Ends the claims of some entries of this cache. */
  async unclaim(...entries: EntryId[]): Promise<void> {
    const tell = (error: unknown) => this.debug(`A claim stays until the end of the run: ${messageOf(error)}`)
    await this.#lease?.drop(entries.map(entryKey)).catch(tell)
  }

  /** Takes over the claims of workers of the same run that have ended. */
  async gatherClaims(): Promise<void> {
    await this.#lease?.gather().catch((error) => this.debug(`Leases of this run stay as they are: ${messageOf(error)}`))
  }

  /** Notes that requests to the Hub follow, also in the cache that this one replaces. */
  noteHubAsked(): void {
    this.hasAskedHub = true
    this.silence.begin()
    this.standsInFor?.noteHubAsked()
  }

  /** Ends the claims of this cache. The remote may be asked again by the next run. */
  async release(): Promise<void> {
    await this.#lease?.release()
    const { remote, run } = this.options
    if (remote && run) await (await import('./remote-mark.ts')).removeMark(this.layout, run.id)
  }

  get env(): Readonly<Record<string, string | undefined>> {
    return this.options.env ?? process.env
  }

  /** The `fetch` for requests to the Hub: that of the options, else the one that suits this process. */
  fetch(): Promise<Fetch> {
    const { fetch } = this.options
    const found = () => fetch ?? import('../../net/find-fetch.ts').then((hub) => hub.findFetch(this.env))
    this.#fetch ??= Promise.resolve(found()).then((fetch) => this.silence.endedBy(fetch))
    return this.#fetch
  }
}
