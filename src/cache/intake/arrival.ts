import type { HubPath } from '../../model/hub-path.ts'
import type { Located } from '../lookup/compare-with-disk.ts'

/** A complete model, and what was done to make it complete. */
export interface Arrival {
  located: Located
  tier: 'disk' | 'adopted' | 'cold' | 'remote' | 'hub'
  /** Milliseconds of the wait for the repo's lock, which another process or call held. */
  waitedMs: number
  /** Milliseconds that downloads took by the clock. Null when nothing was downloaded. */
  downloadMs: number | null
  /** Bytes that were received from the Hub. */
  downloadedBytes: number
  /** Milliseconds that restoring took by the clock, from the remote or from pack files. Null if nothing was restored, or if the rest was downloaded. */
  restoreMs: number | null
  /** Bytes that were received from the remote. */
  restoredBytes: number
  /** Bytes that were restored from the pack files. */
  unpackedBytes: number
  /** Bytes that were adopted from another cache. */
  adoptedBytes: number
  /** Files that had changed since they were recorded, and were downloaded, restored or adopted again. */
  repaired: readonly HubPath[]
}

/** The model was complete before. */
export const NOTHING_DONE = {
  tier: 'disk',
  waitedMs: 0,
  downloadMs: null,
  downloadedBytes: 0,
  restoreMs: null,
  restoredBytes: 0,
  unpackedBytes: 0,
  adoptedBytes: 0,
  repaired: [],
} satisfies Omit<Arrival, 'located'>
