import type { Progress } from '../cache/context/progress.ts'
import { formatDuration, formatSize } from '../config/units.ts'
import { printable } from '../model/printable.ts'
import { originals } from '../platform/originals.ts'

// Often enough to see it move, seldom enough for a CI log.
const FIRST_LINE_AFTER_MS = 500
const NEXT_LINE_AFTER_MS = 2_000
// A shorter wait is over before anybody wonders.
const WORTH_SAYING_MS = 2_000

/** Turns the progress of models into whole lines, throttled; silent for what is there at once. */
export function progressLines(print: (line: string) => void): (progress: Progress) => void {
  const printed = new Map<string, { at: number; isWait: boolean }>()
  return (progress) => {
    const now = originals.monotonic()
    const before = printed.get(progress.model) ?? { at: now - NEXT_LINE_AFTER_MS + FIRST_LINE_AFTER_MS, isWait: false }
    printed.set(progress.model, before)
    const isWait = isWaiting(progress)
    // That a wait begins is said at once: nothing else comes until it is over. Several files may wait at the same time.
    const isDue = now - before.at >= NEXT_LINE_AFTER_MS || (isWait && !before.isWait)
    if (!isDue || (progress.totalBytes === 0 && !isWait)) return
    printed.set(progress.model, { at: now, isWait })
    print(` ↓ ${printable(progress.model)} ${howFar(progress)}`)
  }
}

/** `45.2 MiB of 90.4 MiB (50%) · 12.3 MiB/s · 4 s left` */
function howFar(progress: Progress): string {
  const { receivedBytes, totalBytes, bytesPerSecond } = progress
  if (totalBytes === 0) return outlook(progress).replace(/^ · /, '')
  const share = Math.floor((receivedBytes / totalBytes) * 100)
  const rate = bytesPerSecond === undefined || isWaiting(progress) ? '' : ` · ${formatSize(bytesPerSecond)}/s`
  return `${formatSize(receivedBytes)} of ${formatSize(totalBytes)} (${share}%)${rate}${outlook(progress)}`
}

/** ` · 4 s left` when it goes on as in the last seconds, ` · waiting, next try in 10 s`, or nothing while that is not known. */
export function outlook(progress: Progress): string {
  const { receivedBytes, totalBytes, bytesPerSecond, waitMs = 0 } = progress
  if (isWaiting(progress)) return ` · waiting, next try in ${formatDuration(Math.round(waitMs / 1000) * 1000)}`
  const left = totalBytes - receivedBytes
  if (bytesPerSecond === undefined || left <= 0) return ''
  return ` · ${formatDuration(Math.ceil(left / bytesPerSecond) * 1000)} left`
}

export function isWaiting({ waitMs = 0 }: Progress): boolean {
  return waitMs >= WORTH_SAYING_MS
}
