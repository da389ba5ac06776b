import type { HubSettings } from '../config/token.ts'
import { originals } from '../platform/originals.ts'
import type { Manifest } from './manifest.ts'
import { Layout } from './store/layout.ts'
import type { Metadata } from './store/metadata.ts'

export interface CacheOptions {
  /** Absolute path of the cache folder. */
  cacheDir: string
  hub: HubSettings
  offline: boolean
  /** Bytes. */
  maxSize: number
  /** Milliseconds: entries unused for longer are removed, and refs older than it are looked up again. */
  maxAge: number
  /** The live run that this cache works for; what other runs hold a lease on is not removed. */
  runId?: string
  /** What the warm-up of this run brought in: lets a worker serve a hit without reading metadata. */
  manifest?: Manifest
  /** One line a decision. */
  onDebug?: (message: string) => void
  /** One line a problem that was worked around. */
  onWarning?: (message: string) => void
  /** Default: the environment of this process. */
  env?: Readonly<Record<string, string | undefined>>
  /** Default: the platform's, as it was before any test could stub it. */
  fetch?: typeof fetch
}

/** What all verbs of the engine share. Made cheaply: what touches disk or network is loaded when it is needed. */
export class CacheContext {
  readonly layout: Layout
  readonly debug: (message: string) => void
  readonly warn: (message: string) => void
  #metadata: Promise<Metadata> | undefined
  readonly #warned = new Set<string>()

  constructor(readonly options: CacheOptions) {
    this.layout = new Layout(options.cacheDir)
    this.debug = options.onDebug ?? (() => undefined)
    this.warn = (message) => {
      if (this.#warned.has(message)) return
      this.#warned.add(message)
      options.onWarning?.(message)
    }
  }

  /** The metadata reader; loading it costs a schema library, which a hit from the manifest never pays. */
  metadata(): Promise<Metadata> {
    this.#metadata ??= import('./store/metadata.ts').then(({ Metadata }) => new Metadata(this.layout, this.warn))
    return this.#metadata
  }

  get env(): Readonly<Record<string, string | undefined>> {
    return this.options.env ?? process.env
  }

  get fetch(): typeof fetch {
    return this.options.fetch ?? originals.fetch
  }
}
