import type { Progress } from '../cache/progress.ts'
import { formatDuration, formatSize } from '../config/units.ts'
import { originals } from '../platform/originals.ts'

// Often enough to see it move, seldom enough for a CI log.
const FIRST_LINE_AFTER_MS = 500
const NEXT_LINE_AFTER_MS = 2_000

/** Turns the progress of models into whole lines, throttled; silent for what is there at once. */
export function progressLines(print: (line: string) => void): (progress: Progress) => void {
  const printedAt = new Map<string, number>()
  return (progress) => {
    const now = originals.monotonic()
    const before = printedAt.get(progress.model)
    if (before === undefined) printedAt.set(progress.model, now - NEXT_LINE_AFTER_MS + FIRST_LINE_AFTER_MS)
    else if (now - before >= NEXT_LINE_AFTER_MS) {
      printedAt.set(progress.model, now)
      print(progressLine(progress))
    }
  }
}

/** ` ↓ org/name 45.2 MB of 90.4 MB (50%) · 12.3 MB/s · 4 s left` */
function progressLine({ model, receivedBytes, totalBytes, elapsedMs }: Progress): string {
  const share = totalBytes === 0 ? 0 : Math.floor((receivedBytes / totalBytes) * 100)
  const rate = receivedBytes / elapsedMs
  const left = rate > 0 ? ` · ${formatDuration(Math.ceil((totalBytes - receivedBytes) / rate / 1000) * 1000)} left` : ''
  return ` ↓ ${model} ${formatSize(receivedBytes)} of ${formatSize(totalBytes)} (${share}%) · ${formatSize(rate * 1000)}/s${left}`
}
