import type { HubPath } from '../../model/hub-path.ts'
import type { Located } from '../lookup/compare-with-disk.ts'

/** A complete model, and what was done to make it complete. */
export interface Arrival {
  located: Located
  tier: 'disk' | 'adopted' | 'hub'
  /** Milliseconds in which another process or call held the repo's lock, because it downloads or looks for files. */
  waitedMs: number
  /** Milliseconds that downloads took by the clock. Null when nothing was downloaded. */
  downloadMs: number | null
  /** Bytes that came over the network. */
  downloadedBytes: number
  /** Bytes that another cache had. */
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
