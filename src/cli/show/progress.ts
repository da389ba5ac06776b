import process from 'node:process'
import type { Progress } from '../../cache/context/progress.ts'
import { formatSize } from '../../config/units.ts'
import { printable } from '../../model/printable.ts'
import { isWaiting, outlook, progressLines } from '../../report/progress-lines.ts'
import { printNotes } from './print.ts'
import { isQuiet } from './verbosity.ts'

/** Shows how far things have come: bars at a terminal, now and then a whole line elsewhere. Both go to stderr. */
export interface ProgressView {
  show: (progress: Progress) => void
  /** Leaves the terminal as it was. */
  end: () => void
}

/** `verb` says what is done to the bytes of a thing. */
export async function openProgress(verb = ''): Promise<ProgressView> {
  if (isQuiet()) return { show: () => undefined, end: () => undefined }
  if (!process.stderr.isTTY) return { show: progressLines((line) => printNotes(line)), end: () => undefined }
  const { MultiBar } = await import('cli-progress')
  const bars = new MultiBar({
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    // Two columns are left free: a bar that wraps would leave a trail.
    format: ` ${verb}{model} {bar} {percentage}% {amount}`,
    barsize: 20,
    fps: 8,
    linewrap: false,
  })
  const known = new Map<string, ReturnType<typeof bars.create>>()
  return {
    show(progress) {
      const { model, receivedBytes, totalBytes } = progress
      if (totalBytes === 0 && !isWaiting(progress) && !known.has(model)) return
      const payload = { model: printable(model).padEnd(24), amount: amountOf(progress) }
      const bar = known.get(model) ?? bars.create(Math.max(1, totalBytes), 0, payload)
      known.set(model, bar)
      bar.setTotal(Math.max(1, totalBytes))
      bar.update(receivedBytes, payload)
    },
    end: () => bars.stop(),
  }
}

function amountOf(progress: Progress): string {
  return `${formatSize(progress.receivedBytes)} of ${formatSize(progress.totalBytes)}${outlook(progress)}`
}
