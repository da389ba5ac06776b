import type { Validation } from '../../config/options.ts'
import type { Fetch } from '../../hub/fetch.ts'
import { type EntryFile, type EntryId, entryKey } from '../../model/entry.ts'
import { type ModelCacheError, messageOf } from '../../model/errors.ts'
import { printableLines } from '../../model/printable.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Evicted } from '../../model/request.ts'
import type { Commit } from '../../model/revision.ts'
import type { Tree } from '../../model/tree.ts'
import type { FileStamp } from '../store/blobs.ts'
import { isWritable, refusalOf } from '../store/cache-folder.ts'
import { type HubFolder, Layout } from '../store/layout.ts'
import { Lease } from '../store/leases.ts'
import type { Metadata } from '../store/metadata.ts'
import { Origin } from '../store/origin.ts'
import type { RepoInfo } from '../store/repo-info.ts'
import type { ConnectionBudget } from './connections.ts'
import { KnownRefusals } from './known-refusals.ts'
import type { CacheOptions } from './options.ts'
import type { Progress } from './progress.ts'

/** An answer of our endpoint. */
export interface EndpointAnswer {
  repo: RepoId
  commit: Commit
  tree: Tree
  info: RepoInfo
  /** When it came, by the monotonic clock. */
  at: number
}

/** What all verbs of the engine share. Made cheaply: what touches disk or network is loaded when it is needed. */
export class CacheContext {
  readonly layout: Layout
  readonly debug: (message: string) => void
  readonly warn: (message: string) => void
  readonly #lease: Lease | undefined
  #metadata: Promise<Metadata> | undefined
  #connections: Promise<ConnectionBudget> | undefined
  #fetch: Promise<Fetch> | undefined
  #otherCaches: Promise<HubFolder[]> | undefined
  #temporary: Promise<CacheContext> | undefined
  #sharedFolder: Promise<typeof import('../store/shared-folder.ts')> | undefined
  #refusal: { error: ModelCacheError | undefined } | undefined
  /** True when the Hub was asked for something, by this cache or by one that stands in for it. */
  hasAskedHub = false
  /** Models that are being downloaded now, by their labels, and how far they have come: those of a stand-in too. */
  readonly underWay: Map<string, Progress>
  /** What the Hub refused a moment ago. */
  readonly refusals = new KnownRefusals()
  readonly #warned = new Set<string>()
  readonly #verified = new Map<string, Promise<boolean>>()
  /** The stamps of files of a read-only folder, by their paths: verified in this process, and other than recorded. */
  readonly verifiedStamps = new Map<string, FileStamp>()
  #origin: Origin | undefined
  #evicted: Evicted = { models: [], bytes: 0 }
  readonly #writers = new Map<string, string | undefined>()
  /** What our endpoint told this process of a model, by `modelKey`. */
  readonly receivedAnswers = new Map<string, EndpointAnswer>()
  /** The stored listings that this process has read, by `repo@commit`. */
  readonly trees = new Map<string, Tree>()
  /** The repos and commits, `repo@commit`, of which it could not be learnt who may read them. */
  readonly failedAccessChecks = new Set<string>()

  /** `standsInFor`: the cache whose folder can't be used. */
  constructor(
    readonly options: CacheOptions,
    readonly standsInFor?: CacheContext,
  ) {
    this.layout = new Layout(options.cacheDir)
    this.underWay = standsInFor?.underWay ?? new Map()
    this.#lease = options.run && new Lease(this.layout, options.run)
    const { onDebug } = options
    this.debug = onDebug ? (message) => onDebug(printableLines(message)) : () => undefined
    this.warn = (message) => {
      if (this.#warned.has(message)) return
      this.#warned.add(message)
      options.onWarning?.(printableLines(message))
    }
  }

  /** What was removed to make room since the last `takeEvicted`. */
  get evicted(): Evicted {
    return this.#evicted
  }

  takeEvicted(): Evicted {
    const evicted = this.#evicted
    this.#evicted = { models: [], bytes: 0 }
    return evicted
  }

  /** The metadata reader; loading it costs a schema library, which a hit from the manifest never pays. */
  metadata(): Promise<Metadata> {
    this.#metadata ??= import('../store/metadata.ts').then(
      ({ Metadata }) => new Metadata(this.layout, this.warn, this.options.hub.endpoint),
    )
    return this.#metadata
  }

  /** The stored answers of the endpoint that the options name. */
  get origin(): Origin {
    this.#origin ??= new Origin(this.layout, this.options.hub.endpoint)
    return this.#origin
  }

  /** As many connections as the options say, for downloads of whatever models. */
  connections(): Promise<ConnectionBudget> {
    this.#connections ??= import('./connections.ts').then(({ openConnections }) =>
      openConnections(this.options.hub.concurrency),
    )
    return this.#connections
  }

  /** How the files of an entry are checked before they are served: as the options say, but by digest in a shared folder. */
  async validation(entry: EntryId): Promise<Validation> {
    const { validate = 'stat' } = this.options
    return validate === 'stat' && (await this.whoElseWrites(entry)) ? 'digest' : validate
  }

  /**
   * Who else can write to the cache folder or to the entry, see `shared-folder.ts`; looked at once a process. Undefined
   * where nobody can, and where the options say that nothing is to be checked.
   */
  async whoElseWrites(entry: EntryId): Promise<string | undefined> {
    if (this.options.validate === 'none') return undefined
    const key = entryKey(entry)
    if (!this.#writers.has(key)) {
      this.#sharedFolder ??= import('../store/shared-folder.ts')
      const { whoElseWrites } = await this.#sharedFolder
      if (!this.#writers.has('')) this.#writers.set('', whoElseWrites(this))
      this.#writers.set(key, this.#writers.get('') ?? whoElseWrites(this, entry))
    }
    return this.#writers.get(key)
  }

  /** True when the file has its digest; each state of a file is read once. */
  isVerified(file: string, { digest, size, mtimeMs, ino }: EntryFile): Promise<boolean> {
    const key = [file, digest, mtimeMs, ino].join(' ')
    const known = this.#verified.get(key)
    if (known) return known
    const verified = import('../store/blobs.ts').then(({ matchesDigest }) => matchesDigest(file, digest, size))
    this.#verified.set(key, verified)
    // What could not be read is no answer to keep.
    verified.catch(() => this.#verified.delete(key))
    return verified
  }

  /** Other caches from which files may be taken over. */
  otherCaches(): Promise<HubFolder[]> {
    this.#otherCaches ??= import('../store/other-caches.ts').then(({ findOtherCaches }) =>
      findOtherCaches(this.layout, { ...this.options, env: this.env }),
    )
    return this.#otherCaches
  }

  /** Why nothing may be written to the cache folder; undefined where it is ours or may become ours. Looked at once. */
  get refusal(): ModelCacheError | undefined {
    this.#refusal ??= { error: refusalOf(this.layout) }
    return this.#refusal.error
  }

  /** This cache, or what stands in where its folder holds other things. Throws `refusal` where nothing does. */
  async usable(): Promise<CacheContext> {
    const { refusal } = this
    if (!refusal) return this
    const temporary = await this.temporary(refusal.message)
    if (!temporary) throw refusal
    return temporary
  }

  /** What serves this run when the cache folder can't take a model; undefined where that is an error. */
  temporary(reason: string): Promise<CacheContext> | undefined {
    const { run, whenUnusable } = this.options
    if (whenUnusable !== 'temporary' || !run) return undefined
    this.#temporary ??= this.#openTemporary(run.id, reason)
    return this.#temporary
  }

  /** A cache for one run alone. All processes of the run share it, and it adopts what this cache has. */
  async #openTemporary(runId: string, reason: string): Promise<CacheContext> {
    const { cacheDir: own, hub, adoptFrom = [], manifest } = this.options
    const { makeTemporaryFolder } = await import('../store/temporary-folder.ts')
    const { cacheDir, isNew } = await makeTemporaryFolder({ cacheDir: own, endpoint: hub.endpoint, runId })
    // Only the process that made the folder warns.
    const tell = isNew ? this.warn : this.debug
    tell(`${reason} Until then, each run downloads what is missing into a temporary folder.`)
    const options: CacheOptions = {
      ...this.options,
      cacheDir,
      adoptFrom: [this.layout.hub, ...adoptFrom],
      // The failures of the warm-up hold here, too. The places of its models do not.
      manifest: manifest && { models: [], failures: manifest.failures },
      whenUnusable: 'error',
    }
    return new CacheContext(options, this)
  }

  /**
   * Claims entries for the live run that this cache works for, if it does; true when that is new. Where that can't be
   * written, they stay usable.
   */
  async claim(...entries: EntryId[]): Promise<boolean> {
    if (this.refusal) return false
    try {
      return (await this.#lease?.claim(entries.map(entryKey))) ?? false
    } catch (error) {
      const repos = [...new Set(entries.map(({ repo }) => repo))].join(', ')
      // Of what can't be written as a whole nothing is removed either.
      const tell = isWritable(this.layout) ? this.warn : this.debug
      tell(`${repos} could not be claimed for this run, another may remove it: ${messageOf(error)}.`)
      return false
    }
  }

  /** Makes the claims of workers that are gone those of this cache, which works for the same run. */
  async gatherClaims(): Promise<void> {
    await this.#lease?.gather().catch((error) => this.debug(`Leases of this run stay as they are: ${messageOf(error)}`))
  }

  noteHubAsked(): void {
    this.hasAskedHub = true
    this.standsInFor?.noteHubAsked()
  }

  /** Ends the claims of this cache. */
  async release(): Promise<void> {
    await this.#lease?.release()
  }

  get env(): Readonly<Record<string, string | undefined>> {
    return this.options.env ?? process.env
  }

  /** By which the Hub is asked: as the options say, else as suits this process. */
  fetch(): Promise<Fetch> {
    const { fetch } = this.options
    this.#fetch ??= fetch
      ? Promise.resolve(fetch)
      : import('../../hub/find-fetch.ts').then((hub) => hub.findFetch(this.env))
    return this.#fetch
  }
}
