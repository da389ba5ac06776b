import type { HubPath } from '../../model/hub-path.ts'
import type { Located } from '../lookup/compare-with-disk.ts'

/** A complete model, and what was done to make it complete. */
export interface Arrival {
  located: Located
  tier: 'disk' | 'adopted' | 'hub'
  /** Milliseconds of the wait for the repo's lock, which another process or call held. */
  waitedMs: number
  /** Milliseconds that downloads took by the clock. Null when nothing was downloaded. */
  downloadMs: number | null
  /** Bytes that were received over the network. */
  downloadedBytes: number
  /** Bytes that were adopted from another cache. */
  adoptedBytes: number
  /** Files that had changed since they were recorded, and were downloaded or adopted again. */
  repaired: readonly HubPath[]
}

/** The model was complete before. */
export const NOTHING_DONE = {
  tier: 'disk',
  waitedMs: 0,
  downloadMs: null,
  downloadedBytes: 0,
  adoptedBytes: 0,
  repaired: [],
} satisfies Omit<Arrival, 'located'>
