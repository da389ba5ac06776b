import { join } from 'node:path'
import type { Manifest } from '../../../cache/context/manifest.ts'
import { randomBytes } from '../../../platform/late-crypto.ts'
import { linkedController, originals, sleep } from '../../../platform/originals.ts'
import { manifestFile } from '../../manifest-file.ts'
import type { Prefetch } from '../../project.ts'
import type { Queue } from '../../queue.ts'
import type { Arrivals } from '../../worker-settings.ts'
import type { Warming } from '../warming.ts'
import { writeManifest } from '../write-manifest.ts'
import { Marks } from './marks.ts'
import { type Needs, needsOf } from './needs.ts'

// To end a download takes some milliseconds. A disk that hangs must not delay the end of a run.
const STOP_WITHIN_MS = 2_000

/** Tells the workers of a project which models are on their way while tests run, and when they have arrived. */
export class MarkedPrefetch implements Prefetch {
  readonly #marks: Marks
  /** The manifests for child processes and for workers. */
  readonly #files: string[]
  #manifest: Manifest = { models: [], failures: [] }
  #updated: Promise<void>
  /** When the tests of this run began, and the names of the models that were on their way then. */
  #began: { at: number; names: string[] } | undefined
  #lastArrivalAt = 0
  /** When models have arrived, on the clock of `Date`. */
  readonly #arrivedAt = new Map<string, number>()

  /** `events`: the folder for events. */
  constructor(
    readonly warming: Warming,
    private needs: Needs,
    events: string,
  ) {
    this.#marks = new Marks(events)
    this.#files = [manifestFile(events), join(events, `${randomBytes(6).toString('hex')}.manifest.json`)]
    warming.onArrival = (key) => this.#arrived(key)
    this.#updated = this.#update()
  }

  /** The manifest of the models that have arrived. */
  async manifest(): Promise<Manifest> {
    await this.#updated
    return this.#manifest
  }

  async manifestOfRerun(queue: Queue): Promise<Manifest> {
    this.needs = needsOf(this.warming.project, queue) ?? this.needs
    this.warming.beginNextRun()
    // Workers read it from the file.
    this.#updated = this.#updated.then(() => this.#update())
    return this.manifest()
  }

  async beginTests(): Promise<{ manifest: Manifest; arrivals: Arrivals | undefined }> {
    this.#began = undefined
    let updated: Promise<void> | undefined
    // Another model may arrive meanwhile. Nothing is awaited between the last look and the result, so each model is in one of its parts.
    while (updated !== this.#updated) {
      updated = this.#updated
      await updated
    }
    return { manifest: this.#manifest, arrivals: this.#arrivals() }
  }

  /** Other projects are warmed and set up before the tests, so this is later than `beginTests`. */
  testsBegan(): void {
    this.#began ??= { at: originals.monotonic(), names: this.warming.namesOnTheWay }
  }

  rankOf(testFile: string): number {
    const { onTheWay } = this.warming
    return Math.max(0, ...this.needs.waitsOf(testFile, onTheWay).map((key) => 1 + onTheWay.indexOf(key)))
  }

  waitedMs(testFile: string, from: number): number {
    const awaited = this.needs.waitsOf(testFile, [...this.#arrivedAt.keys()])
    return Math.max(0, ...awaited.map((key) => (this.#arrivedAt.get(key) ?? 0) - from))
  }

  release(): void {
    this.#marks.removeAll()
  }

  async endTests(isWatching: boolean): Promise<void> {
    // No test file has begun if the run was cancelled early.
    const { at, names } = this.#began ?? { at: originals.monotonic(), names: this.warming.namesOnTheWay }
    this.#began = undefined
    if (names.length === 0) return
    if (!isWatching) await this.stop()
    const unfinished = this.warming.namesOnTheWay
    const end = unfinished.length > 0 ? originals.monotonic() : this.#lastArrivalAt
    const models = names.filter((name) => !unfinished.includes(name) && this.warming.hasArrived(name))
    this.warming.recordOfRun.prefetch = { aheadMs: Math.max(0, end - at), models, unfinished }
  }

  async stop(): Promise<void> {
    this.release()
    const { controller } = linkedController()
    await Promise.race([this.warming.stop(), sleep(STOP_WITHIN_MS, controller.signal).catch(() => undefined)])
    controller.abort()
  }

  /** What the workers have to know of the models on the way. Sets the marks of these. */
  #arrivals(): Arrivals | undefined {
    const { onTheWay } = this.warming
    if (onTheWay.length === 0) return undefined
    const names = new Map(onTheWay.map((key) => [key, this.#marks.set(key)]))
    const waits = this.needs.queue.files.map((testFile): Arrivals['waits'][number] => {
      return [testFile, this.needs.waitsOf(testFile, onTheWay).flatMap((key) => names.get(key) ?? [])]
    })
    return { manifest: this.#files[1] ?? '', waits: waits.filter(([, marks]) => marks.length > 0) }
  }

  /** Never rejects. */
  async #arrived(key: string): Promise<void> {
    this.#lastArrivalAt = originals.monotonic()
    this.#arrivedAt.set(key, originals.now())
    this.#updated = this.#updated.then(() => this.#update())
    await this.#updated
    this.#marks.remove(key)
  }

  async #update(): Promise<void> {
    try {
      this.#manifest = await this.warming.manifest()
    } catch {
      // The metadata can't be read. Workers look there themselves, and tell.
    }
    for (const file of this.#files) writeManifest(file, this.#manifest)
  }
}
