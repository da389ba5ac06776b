import { originals } from '../platform/originals.ts'

interface Share {
  ms: number
}

// One clock a process: models of several caches, too, come at the same time.
const underWay = new Set<Share>()
let countedUntil = 0

/**
 * Begins a download, and gives what ends it: then it says which share of the time by the clock the download has. While several
 * go on at once, each has an equal share, so that all shares together are the time in which anything was downloaded.
 */
export function beginDownload(): () => number {
  count()
  const share = { ms: 0 }
  underWay.add(share)
  return () => {
    count()
    underWay.delete(share)
    return share.ms
  }
}

function count(): void {
  const now = originals.monotonic()
  for (const share of underWay) share.ms += (now - countedUntil) / underWay.size
  countedUntil = now
}
