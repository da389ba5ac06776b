import { originals } from '../../platform/originals.ts'

/** What a download took: milliseconds. */
export interface DownloadTime {
  elapsedMs: number
  /** Its share of the time by the clock in which it and others went on. */
  sharedMs: number
}

// One clock a process: models of several caches, too, come at the same time.
const underWay = new Set<DownloadTime>()
let countedUntil = 0

/**
 * Begins a download, and gives what ends it. While several go on at once, each has an equal share of the time, so that all shares
 * together are the time in which anything was downloaded.
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
