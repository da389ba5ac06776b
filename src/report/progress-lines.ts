import type { Progress } from '../cache/context/progress.ts'
import { formatDuration, formatSize } from '../config/units.ts'
import { printable } from '../model/printable.ts'
import { originals } from '../platform/originals.ts'
import { shorten } from './lines.ts'

// Often enough to see progress, seldom enough for a CI log.
const FIRST_LINE_AFTER_MS = 500
const NEXT_LINE_AFTER_MS = 2_000
// Nobody notices a shorter wait.
const WORTH_SAYING_MS = 2_000

const WIDE_COLUMNS = 100
const BAR = { narrow: 10, wide: 20 }
const NAME = { shortest: 12, usual: 24 }
// Shorter figures leave room, so that the bar keeps its place.
const FIGURES = 44

/**
 * Turns the progress of models into whole lines, at most one every two seconds for each model. A fast download has no line. `mark`
 * begins each line.
 */
export function progressLines(print: (line: string) => void, mark = '↓'): (progress: Progress) => void {
  const printed = new Map<string, { at: number; isWait: boolean }>()
  return (progress) => {
    const now = originals.monotonic()
    const before = printed.get(progress.model) ?? { at: now - NEXT_LINE_AFTER_MS + FIRST_LINE_AFTER_MS, isWait: false }
    printed.set(progress.model, before)
    const isWait = isWaiting(progress)
    // The start of a wait has a line at once, because no other progress comes before its end. Several files may wait at a time.
    const isDue = now - before.at >= NEXT_LINE_AFTER_MS || (isWait && !before.isWait)
    if (!isDue || (progress.totalBytes === 0 && !isWait)) return
    printed.set(progress.model, { at: now, isWait })
    print(` ${mark} ${printable(progress.model)} ${howFar(progress)}`)
  }
}

/** `45.2 MiB of 90.4 MiB (50%) · 12.3 MiB/s · 4 s left` */
function howFar(progress: Progress): string {
  const { receivedBytes, totalBytes } = progress
  if (totalBytes === 0) return outlook(progress)
  const amount = `${formatSize(receivedBytes)} of ${formatSize(totalBytes)} (${percentOf(progress)}%)`
  return joined(amount, sourceOf(progress), rateOf(progress), outlook(progress))
}

/** One line of a terminal: ` org/name ████▒▒▒▒▒▒ 40% 45.2 of 90.4 MiB · 12.3 MiB/s · 4 s left`. It is shorter than `columns`. */
export function progressBar(progress: Progress, columns: number): string {
  const model = printable(progress.model)
  const amount = `${percentOf(progress)}% ${amountOf(progress)}`
  const figures = joined(amount, rateOf(progress), outlook(progress))
  const size = columns < WIDE_COLUMNS ? BAR.narrow : BAR.wide
  const room = columns - Math.max(figures.length, FIGURES) - size - 4
  if (room < NAME.shortest) return shorten(` ${shorten(model, NAME.shortest)} ${figures}`, columns - 1)
  const done = Math.round((size * percentOf(progress)) / 100)
  const bar = '█'.repeat(done) + '░'.repeat(size - done)
  return ` ${shorten(model, room).padEnd(Math.min(room, NAME.usual))} ${bar} ${figures}`
}

/** `45.2 of 90.4 MiB` */
function amountOf({ receivedBytes, totalBytes }: Progress): string {
  const [received = '', unit] = formatSize(receivedBytes).split(' ')
  const total = formatSize(totalBytes)
  return `${received}${total.endsWith(` ${unit}`) ? '' : ` ${unit}`} of ${total}`
}

function percentOf({ receivedBytes, totalBytes }: Progress): number {
  return totalBytes === 0 ? 0 : Math.min(100, Math.floor((receivedBytes / totalBytes) * 100))
}

/** `from the remote`; empty for the Hub, which is where models usually come from. */
function sourceOf({ source }: Progress): string {
  if (source === 'cold') return 'from the pack files'
  return source === 'remote' ? 'from the remote' : ''
}

/** `12.3 MiB/s`; empty while it is not known. */
function rateOf(progress: Progress): string {
  const { bytesPerSecond } = progress
  return bytesPerSecond === undefined || isWaiting(progress) ? '' : `${formatSize(bytesPerSecond)}/s`
}

/** `4 s left` at the rate of the last seconds, or `waiting, next try in 10 s`. Empty while it is not known. */
function outlook(progress: Progress): string {
  const { receivedBytes, totalBytes, bytesPerSecond, waitMs = 0 } = progress
  if (isWaiting(progress)) return `waiting, next try in ${formatDuration(Math.round(waitMs / 1000) * 1000)}`
  const left = totalBytes - receivedBytes
  if (bytesPerSecond === undefined || left <= 0) return ''
  return `${formatDuration(Math.ceil(left / bytesPerSecond) * 1000)} left`
}

export function isWaiting({ waitMs = 0 }: Progress): boolean {
  return waitMs >= WORTH_SAYING_MS
}

function joined(...parts: string[]): string {
  return parts.filter((part) => part !== '').join(' · ')
}
