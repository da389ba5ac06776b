import type { RequestEvent } from '../../src/model/request.ts'

/** A request as a worker reports it; by default a hit from disk. */
export function makeRequest(parts: Partial<RequestEvent> & Pick<RequestEvent, 'repo' | 'commit'>): RequestEvent {
  return {
    revision: 'main',
    tier: 'disk',
    selection: '{}',
    files: [],
    at: Date.now(),
    lookupMs: 1,
    restoreMs: null,
    restoredBytes: 0,
    downloadMs: null,
    downloadedBytes: 0,
    adoptedBytes: 0,
    repaired: [],
    loadMs: null,
    recordedDownloadMs: null,
    warmedInThisRun: false,
    ...parts,
  }
}
