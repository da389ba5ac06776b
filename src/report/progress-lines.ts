import type { Progress } from '../cache/progress.ts'
import { formatDuration, formatSize } from '../config/units.ts'
import { printable } from '../model/printable.ts'
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

/** ` ↓ org/name 45.2 MiB of 90.4 MiB (50%) · 12.3 MiB/s · 4 s left` */
function progressLine(progress: Progress): string {
  const { model, receivedBytes, totalBytes, elapsedMs } = progress
  const share = totalBytes === 0 ? 0 : Math.floor((receivedBytes / totalBytes) * 100)
  const rate = receivedBytes / elapsedMs
  return ` ↓ ${printable(model)} ${formatSize(receivedBytes)} of ${formatSize(totalBytes)} (${share}%) · ${formatSize(rate * 1000)}/s${timeLeft(progress)}`
}

/** ` · 4 s left`, when it goes on as until now; empty while nothing has come. */
export function timeLeft({ receivedBytes, totalBytes, elapsedMs }: Progress): string {
  const rate = elapsedMs > 0 ? receivedBytes / elapsedMs : 0
  if (rate === 0) return ''
  return ` · ${formatDuration(Math.ceil((totalBytes - receivedBytes) / rate / 1000) * 1000)} left`
}
