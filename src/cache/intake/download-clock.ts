import { originals } from '../../platform/originals.ts'

/** How long a download took. */
export interface DownloadTime {
  /** Milliseconds from its start to its end. */
  elapsedMs: number
  /** Its share of those milliseconds: while several downloads run at once, each gets an equal part of the time. */
  sharedMs: number
}

// All caches of a process share this clock, because their downloads run at the same time, too.
const underWay = new Set<DownloadTime>()
let countedUntil = 0

/**
 * Begins to measure a download, and returns a function that ends it. The shares of all downloads add up to the time in which at
 * least one of them was running.
 */
export function beginDownload(): () => DownloadTime {
  count()
  const time = { elapsedMs: 0, sharedMs: 0 }
  underWay.add(time)
  return () => {
    count()
    underWay.delete(time)
    return time
  }
}

function count(): void {
  const now = originals.monotonic()
  for (const time of underWay) {
    time.elapsedMs += now - countedUntil
    time.sharedMs += (now - countedUntil) / underWay.size
  }
  countedUntil = now
}
