import type { CachedFile } from '../cache/get-file.ts'
import { ModelCacheError, messageOf } from '../model/errors.ts'
import type { FileReport, RequestEvent } from '../model/request.ts'
import { selectionKey } from '../model/selection.ts'
import { TIERS, type Tier } from '../model/tier.ts'
import { originals } from '../platform/originals.ts'

/**
 * Collects what code that knows nothing of the cache asked for. It asks file by file: all of one repo at one commit
 * are one request, until they are drained at the end of a test file or of a process.
 */
export class FoldedRequests {
  #requests = new Map<string, RequestEvent>()
  #errors: FileReport['errors'] = []

  served({ path, size, served }: CachedFile): void {
    const { repo, revision, commit } = served
    const key = `${repo}@${commit} ${revision}`
    const before = this.#requests.get(key)
    const request = before ?? newRequest({ repo, revision, commit })
    const files = new Map(request.files)
    files.set(path, size)
    this.#requests.set(key, {
      ...request,
      files: [...files],
      selection: selectionKey({ paths: [...files.keys()] }),
      tier: fartherTier(request.tier, served.tier),
      lookupMs: request.lookupMs + served.lookupMs,
      downloadMs: served.downloadMs === null ? request.downloadMs : (request.downloadMs ?? 0) + served.downloadMs,
      downloadedBytes: request.downloadedBytes + served.downloadedBytes,
      adoptedBytes: request.adoptedBytes + served.adoptedBytes,
      repaired: [...request.repaired, ...served.repaired],
      recordedDownloadMs: sumOrNull(
        request.recordedDownloadMs,
        before?.files.some(([name]) => name === path) ? 0 : served.recordedDownloadMs,
      ),
      warmedInThisRun: request.warmedInThisRun || served.warmedInThisRun,
    })
  }

  /** `test` is the id of the test that asked, where that is known. */
  failed(model: string, error: unknown, test?: string): void {
    const code = error instanceof ModelCacheError ? error.code : 'UNKNOWN'
    this.#errors.push({ model, code, message: messageOf(error), test })
  }

  /** What was collected since the last `drain`. */
  get collected(): FileReport {
    return { requests: [...this.#requests.values()], errors: this.#errors }
  }

  /** Takes out what was collected since the last call. */
  drain(): FileReport {
    const report = this.collected
    this.#requests = new Map()
    this.#errors = []
    return report
  }
}

function newRequest(of: Pick<RequestEvent, 'repo' | 'revision' | 'commit'>): RequestEvent {
  return {
    ...of,
    ...{ tier: 'disk', selection: '{}', files: [], at: originals.now(), lookupMs: 0 },
    ...{ restoreMs: null, downloadMs: null, downloadedBytes: 0, adoptedBytes: 0, repaired: [], loadMs: null },
    ...{ recordedDownloadMs: 0, warmedInThisRun: false },
  }
}

/** `TIERS` are in the order of their distance. */
function fartherTier(one: Tier, other: Tier): Tier {
  return TIERS.indexOf(one) > TIERS.indexOf(other) ? one : other
}

function sumOrNull(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : one + other
}
