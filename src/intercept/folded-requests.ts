import type { CachedFile } from '../cache/get-file.ts'
import { ModelCacheError, messageOf } from '../model/errors.ts'
import { type FileReport, NO_STEPS, type RequestError, type RequestEvent } from '../model/request.ts'
import { selectionKey } from '../model/selection.ts'
import type { Span } from '../model/spans.ts'
import { TIERS, type Tier } from '../model/tier.ts'
import { originals } from '../platform/originals.ts'
import { BusyTime } from './busy-time.ts'

/** What one file, or one load, adds to its request. Plain JSON. The times can be summed: no moment is counted twice. */
export type RequestPart = Omit<RequestEvent, 'selection'>

type Named = Pick<RequestEvent, 'repo' | 'revision' | 'commit'>

interface Folded {
  /** The request without its files. */
  request: RequestPart
  files: Map<string, number>
  /** How often a runtime loaded each file, by its path on disk. */
  loads: Map<string, number>
  /** The time in which files arrived, waiting included; the time of all work; the time of loads by the runtime. */
  arriving: BusyTime
  busy: BusyTime
  loading: BusyTime
}

/**
 * Collects the requests of untouched code, which asks for each file by itself. All files of one repo at one commit are one request,
 * until `drain` at the end of a test file or of a process.
 */
export class FoldedRequests {
  #requests = new Map<string, Folded>()
  #errors: FileReport['errors'] = []
  /** By the path on disk of each file that was served. */
  #byFile = new Map<string, Folded>()

  /** Adds a file that was served just now. */
  served({ path, size, file, served }: CachedFile): RequestPart {
    const { lookupMs, downloadMs, restoreMs, recordedDownloadMs, repaired, warmedInThisRun } = served
    const { downloadedBytes, restoredBytes, unpackedBytes, adoptedBytes, tier } = served
    const folded = this.#requestOf(served)
    this.#byFile.set(file, folded)
    const end = originals.monotonic()
    const arrivalMs = (downloadMs ?? 0) + (restoreMs ?? 0)
    const start = end - lookupMs - arrivalMs
    const busyMs = folded.busy.add({ start, end })
    const newMs = folded.arriving.add({ start: end - arrivalMs, end })
    const newRestoreMs = restoreMs === null ? null : Math.min(restoreMs, newMs)
    const part: RequestPart = {
      ...newPart(folded.request),
      ...{
        tier,
        downloadedBytes,
        restoredBytes,
        unpackedBytes,
        adoptedBytes,
        recordedDownloadMs,
        repaired,
        warmedInThisRun,
      },
      files: [[path, size]],
      // Can be below 0: the time of an earlier lookup may have become download time. Lookup and download together never exceed the
      // elapsed time.
      lookupMs: busyMs - newMs,
      downloadMs: downloadMs === null ? null : newMs - (newRestoreMs ?? 0),
      restoreMs: newRestoreMs,
    }
    addTo(folded, part)
    return part
  }

  /** Adds a load by a runtime, on the clock `monotonic`. Undefined for a file that was not served before. */
  loaded(file: string, span: Span): RequestPart | undefined {
    const folded = this.#byFile.get(file)
    if (folded === undefined) return undefined
    const { request, loads, loading } = folded
    const count = (loads.get(file) ?? 0) + 1
    loads.set(file, count)
    // The files of one load are loaded once each. So a load is new if no other file was loaded so often.
    const part = { ...newPart(request), loadMs: loading.add(span), loads: count > (request.loads ?? 0) ? 1 : 0 }
    addTo(folded, part)
    return part
  }

  /**
   * Adds a failure. `test` is the id of the test that asked, where that is known. Undefined if a file of the model failed before with
   * the same code in the same test: that is the same request.
   */
  failed(model: string, error: unknown, test?: string): RequestError | undefined {
    const code = error instanceof ModelCacheError ? error.code : ('UNKNOWN' as const)
    const isCounted = this.#errors.some((known) => known.model === model && known.code === code && known.test === test)
    if (isCounted) return undefined
    const failure = { model, code, message: messageOf(error), test }
    this.#errors.push(failure)
    return failure
  }

  /** Adds a part to its request. */
  add(part: RequestPart): void {
    addTo(this.#requestOf(part), part)
  }

  /** The requests since the last `drain`. */
  get collected(): FileReport {
    const requests = [...this.#requests.values()].map(({ request, files }) => ({
      ...request,
      lookupMs: Math.max(0, request.lookupMs),
      selection: selectionKey({ paths: [...files.keys()] }),
      files: [...files],
    }))
    return { requests, errors: this.#errors }
  }

  /** Returns the requests since the last call, and forgets them. */
  drain(): FileReport {
    const report = this.collected
    this.#requests = new Map()
    this.#byFile = new Map()
    this.#errors = []
    return report
  }

  #requestOf({ repo, revision, commit }: Named): Folded {
    const key = `${repo}@${commit} ${revision}`
    const known = this.#requests.get(key)
    if (known) return known
    const request = newPart({ repo, revision, commit, at: originals.now() })
    const times = { arriving: new BusyTime(), busy: new BusyTime(), loading: new BusyTime() }
    const folded = { request, files: new Map<string, number>(), loads: new Map<string, number>(), ...times }
    this.#requests.set(key, folded)
    return folded
  }
}

function addTo(folded: Folded, part: RequestPart): void {
  const { request, files } = folded
  const isKnown = part.files.every(([path]) => files.has(path))
  for (const [path, size] of part.files) files.set(path, size)
  request.at = Math.min(request.at, part.at)
  request.tier = fartherTier(request.tier, part.tier)
  request.lookupMs += part.lookupMs
  request.restoreMs = sumOfKnown(request.restoreMs, part.restoreMs)
  request.restoredBytes += part.restoredBytes
  request.unpackedBytes += part.unpackedBytes
  request.downloadMs = sumOfKnown(request.downloadMs, part.downloadMs)
  request.loadMs = sumOfKnown(request.loadMs, part.loadMs)
  request.loads = (request.loads ?? 0) + (part.loads ?? 0)
  request.downloadedBytes += part.downloadedBytes
  request.adoptedBytes += part.adoptedBytes
  if (part.repaired.length > 0) request.repaired = [...request.repaired, ...part.repaired]
  if (!isKnown) request.recordedDownloadMs = sumOrNull(request.recordedDownloadMs, part.recordedDownloadMs)
  request.warmedInThisRun ||= part.warmedInThisRun
}

function newPart({ repo, revision, commit, at }: Named & { at: number }): RequestPart {
  return {
    ...{ repo, revision, commit, at },
    ...NO_STEPS,
    ...{ tier: 'disk', files: [], lookupMs: 0, recordedDownloadMs: 0, warmedInThisRun: false },
  }
}

/** The tier that is farther away. `TIERS` is sorted by distance. */
function fartherTier(one: Tier, other: Tier): Tier {
  return TIERS.indexOf(one) > TIERS.indexOf(other) ? one : other
}

/** A sum in which null, for a step that was not measured, adds nothing. */
function sumOfKnown(one: number | null, other: number | null): number | null {
  return one === null ? other : one + (other ?? 0)
}

function sumOrNull(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : one + other
}
