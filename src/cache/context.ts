import type { HubSettings } from '../config/token.ts'
import type { Connections } from '../hub/download.ts'
import { type Entry, entryKey } from '../model/entry.ts'
import { messageOf } from '../model/errors.ts'
import { originals } from '../platform/originals.ts'
import type { Manifest } from './manifest.ts'
import { Layout } from './store/layout.ts'
import { Lease, type Run } from './store/leases.ts'
import type { Metadata } from './store/metadata.ts'

export interface CacheOptions {
  /** Absolute path of the cache folder. */
  cacheDir: string
  hub: HubSettings
  offline: boolean
  /** Bytes. */
  maxSize: number
  /** What becomes of a model that is larger than `maxSize`: served and removed after the run (default), or refused. */
  onTooLarge?: 'keep' | 'error'
  /** Milliseconds: entries unused for longer are removed, and refs older than it are looked up again. */
  maxAge: number
  /** The live run that this cache works for: what it asks for, no other process removes. */
  run?: Run
  /** What the warm-up of this run brought in: lets a worker serve a hit without reading metadata. */
  manifest?: Manifest
  /** Milliseconds without enough progress after which a download counts as broken. Default 30 s. */
  stallMs?: number
  /** One line a decision. */
  onDebug?: (message: string) => void
  /** One line a problem that was worked around. */
  onWarning?: (message: string) => void
  /** Default: the environment of this process. */
  env?: Readonly<Record<string, string | undefined>>
  /** Default: the platform's, as it was before any test could stub it. */
  fetch?: typeof fetch
}

/** The connections of a cache: a file has to wait for its first, and gets more when they are free. */
interface ConnectionBudget extends Connections {
  run<T>(work: () => Promise<T>): Promise<T>
}

/** What all verbs of the engine share. Made cheaply: what touches disk or network is loaded when it is needed. */
export class CacheContext {
  readonly layout: Layout
  readonly debug: (message: string) => void
  readonly warn: (message: string) => void
  readonly #lease: Lease | undefined
  #metadata: Promise<Metadata> | undefined
  #connections: Promise<ConnectionBudget> | undefined
  readonly #warned = new Set<string>()

  constructor(readonly options: CacheOptions) {
    this.layout = new Layout(options.cacheDir)
    this.#lease = options.run && new Lease(this.layout, options.run)
    this.debug = options.onDebug ?? (() => undefined)
    this.warn = (message) => {
      if (this.#warned.has(message)) return
      this.#warned.add(message)
      options.onWarning?.(message)
    }
  }

  /** The metadata reader; loading it costs a schema library, which a hit from the manifest never pays. */
  metadata(): Promise<Metadata> {
    this.#metadata ??= import('./store/metadata.ts').then(
      ({ Metadata }) => new Metadata(this.layout, this.warn, this.options.hub.endpoint),
    )
    return this.#metadata
  }

  /** As many connections as the options say, for downloads of whatever models. */
  connections(): Promise<ConnectionBudget> {
    this.#connections ??= import('p-limit').then(({ default: pLimit }) => {
      const limit = pLimit(this.options.hub.concurrency)
      return {
        run: (work) => limit(work),
        spare: (lane) => (limit.activeCount + limit.pendingCount < limit.concurrency ? limit(lane) : undefined),
        get inDemand() {
          return limit.pendingCount > 0
        },
      }
    })
    return this.#connections
  }

  /** Claims entries for the live run that this cache works for, if it does. Where that can't be written, they stay usable. */
  async claim(...entries: Pick<Entry, 'repo' | 'commit'>[]): Promise<void> {
    try {
      await this.#lease?.claim(entries.map(entryKey))
    } catch (error) {
      const repos = [...new Set(entries.map(({ repo }) => repo))].join(', ')
      this.warn(`${repos} could not be claimed for this run, another may remove it: ${messageOf(error)}.`)
    }
  }

  /** Ends the claims of this cache. */
  async release(): Promise<void> {
    await this.#lease?.release()
  }

  get env(): Readonly<Record<string, string | undefined>> {
    return this.options.env ?? process.env
  }

  get fetch(): typeof fetch {
    return this.options.fetch ?? originals.fetch
  }
}
