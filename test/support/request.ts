import { NO_STEPS, type RequestEvent } from '../../src/model/request.ts'

/** A request as a worker reports it; by default a hit from disk. */
export function makeRequest(parts: Partial<RequestEvent> & Pick<RequestEvent, 'repo' | 'commit'>): RequestEvent {
  return {
    revision: 'main',
    tier: 'disk',
    selection: '{}',
    files: [],
    at: Date.now(),
    lookupMs: 1,
    ...NO_STEPS,
    // Events of earlier versions do not count loads.
    loads: undefined,
    recordedDownloadMs: null,
    warmedInThisRun: false,
    ...parts,
  }
}
