import { sep } from 'node:path'
import type { CachedModel } from '../cache/cached-model.ts'
import type { Progress } from '../cache/context/progress.ts'
import { formatSize } from '../config/units.ts'
import { ModelCacheError, messageOf } from '../model/errors.ts'
import { describeModel, type Model } from '../model/model.ts'
import { type FileReport, NO_STEPS, type RequestError, type RequestEvent } from '../model/request.ts'
import { selectionKey } from '../model/selection.ts'
import { originals } from '../platform/originals.ts'

/** Collects the requests of a worker until its test file ends. */
export class Recorder {
  #report: FileReport = { requests: [], errors: [] }
  /** The folders of the models that providers load now. */
  readonly #loading: string[] = []

  /** `onChange` is called after each change of the report. */
  constructor(readonly onChange: () => void = () => undefined) {}

  /** Notes a request that was not served from memory. `at` is the time of the request. */
  served(model: Model, cached: CachedModel, loadMs: number | null, at: number): RequestEvent {
    const { repo, revision, commit, tier, lookupMs, downloadMs, downloadedBytes } = cached
    const { restoreMs, restoredBytes, unpackedBytes, adoptedBytes, recordedDownloadMs, warmedInThisRun } = cached
    const event: RequestEvent = {
      ...{ repo, revision, commit, tier, lookupMs, downloadMs, downloadedBytes, loadMs, restoreMs, restoredBytes },
      unpackedBytes,
      ...{ loads: loadMs === null ? 0 : 1, isKept: true },
      ...{
        adoptedBytes,
        repaired: [...cached.repaired],
        recordedDownloadMs,
        warmedInThisRun,
        selection: selectionKey(model.selection),
        files: [...cached.files],
        at,
      },
    }
    this.#report.requests.push(event)
    this.onChange()
    return event
  }

  /** Notes a request that was served by an instance that was loaded already. `first` is the request that loaded it. */
  servedFromMemory(first: RequestEvent, lookupMs: number): void {
    this.#report.requests.push({
      ...first,
      ...NO_STEPS,
      ...{ tier: 'memory', lookupMs, at: originals.now() - lookupMs },
    })
    this.onChange()
  }

  /** Notes that a provider loads the model in this folder. Returns a function to be called when it is loaded. */
  loading(directory: string): () => void {
    this.#loading.push(directory)
    return () => void this.#loading.splice(this.#loading.indexOf(directory), 1)
  }

  /** True while a provider loads a model that has this file: the request of the provider has the load. */
  isLoading(file: string): boolean {
    return this.#loading.some((directory) => file.startsWith(directory + sep))
  }

  /** Counts a mock of unit mode. */
  mocked(): void {
    this.#report.mocks = (this.#report.mocks ?? 0) + 1
    this.onChange()
  }

  /** Notes a request that unit mode refused. `test` is the id of the test that sent it, where that is known. */
  refused({ code, asked, message }: ModelCacheError, test?: string): void {
    this.#fail({ model: asked, code, message, test })
  }

  /** Notes a request that failed. `test` is the id of the test that asked, where that is known. */
  failed(model: Model, error: unknown, test?: string): void {
    const code = error instanceof ModelCacheError ? error.code : 'UNKNOWN'
    this.#fail({ model: describeModel(model), code, message: messageOf(error), test })
  }

  /** Notes that a test timed out while it waited for this download. */
  unfinished({ model, receivedBytes, totalBytes }: Progress, test?: string): void {
    const came =
      totalBytes > 0 ? `${formatSize(receivedBytes)} of ${formatSize(totalBytes)} had arrived` : 'nothing had arrived'
    const message = `Model ${model}: its download was not finished when a test timed out, ${came}.`
    this.#fail({ model, code: 'UNFINISHED', message, test })
  }

  #fail(error: RequestError): void {
    this.#report.errors.push(error)
    this.onChange()
  }

  /** The requests since the last `drain`. */
  get collected(): FileReport {
    return this.#report
  }

  /** Returns the requests since the last call, and forgets them. */
  drain(): FileReport {
    const report = this.#report
    this.#report = { requests: [], errors: [] }
    return report
  }
}
