import process from 'node:process'
import { keepLoadedCrypto } from '../../platform/late-crypto.ts'
import { originals } from '../../platform/originals.ts'
import { spent } from '../../platform/own-time.ts'
import { loadedPreload } from '../preload.ts'
import type { WorkerSettings } from '../worker-settings.ts'
import type { Engine, TestsOfWorker } from './engine.ts'

/** Loads the engine of a worker when a test first requests a model. Most test files request none. */
export class LateEngine {
  // Copied before any user code runs.
  readonly #environmentAtStart = { ...process.env }
  #opening: Promise<Engine> | undefined
  #opened: Engine | undefined

  constructor(
    readonly settings: WorkerSettings,
    readonly tests: TestsOfWorker,
  ) {}

  /** The engine; undefined until a test needs it. */
  get opened(): Engine | undefined {
    return this.#opened
  }

  open(): Promise<Engine> {
    this.#opening ??= this.#load()
    return this.#opening
  }

  async #load(): Promise<Engine> {
    const started = originals.monotonic()
    const importEngine = () => import('./engine.ts')
    const preload = loadedPreload()
    const { openEngine } = await (preload ? preload.importAsIs(importEngine) : importEngine())
    await keepLoadedCrypto()
    this.#opened = openEngine(this.settings, this.#environmentAtStart, this.tests)
    spent('engine', started, this.settings.debug)
    return this.#opened
  }
}
