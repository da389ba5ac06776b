import process from 'node:process'
import type { Progress } from '../../cache/context/progress.ts'
import { Rate } from '../../cache/intake/rate.ts'
import { originals } from '../../platform/originals.ts'
import { isWaiting, progressBar, progressLines } from '../../report/progress-lines.ts'
import { printNotes } from './print.ts'
import { columnsOf } from './style.ts'
import { isQuiet } from './verbosity.ts'

/** Shows progress on stderr: as bars at a terminal, elsewhere as a whole line every few seconds. */
export interface ProgressView {
  show: (progress: Progress) => void
  /** Removes the bars and shows the cursor again. */
  end: () => void
}

/** `mark` begins each whole line: an arrow for downloads. */
export async function openProgress(mark?: string): Promise<ProgressView> {
  if (isQuiet()) return { show: () => undefined, end: () => undefined }
  if (!process.stderr.isTTY) return { show: progressLines((line) => printNotes(line), mark), end: () => undefined }
  const { MultiBar } = await import('cli-progress')
  const bars = new MultiBar({
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    // The terminal may get another width meanwhile. A line that it wraps would not be cleared.
    format: (_options, _params, progress: Progress) => progressBar(progress, columnsOf(process.stderr) ?? 80),
    fps: 8,
    linewrap: false,
  })
  const known = new Map<string, ReturnType<typeof bars.create>>()
  return {
    show(progress) {
      const { model, receivedBytes, totalBytes } = progress
      if (totalBytes === 0 && !isWaiting(progress) && !known.has(model)) return
      const bar = known.get(model) ?? bars.create(Math.max(1, totalBytes), 0, progress)
      known.set(model, bar)
      bar.setTotal(Math.max(1, totalBytes))
      bar.update(receivedBytes, progress)
    },
    end: () => bars.stop(),
  }
}

interface Done {
  bytes: number
  totalBytes: number
}

/** Shows how much of a known number of bytes is done. */
export async function openBytesProgress(mark: string, what: string) {
  const { show, end } = await openProgress(mark)
  return { show: counter(show, what), end }
}

/** Shows for each of several models how much of a known number of bytes is done. */
export async function openModelsProgress(mark: string) {
  const { show, end } = await openProgress(mark)
  const counters = new Map<string, (done: Done) => void>()
  return {
    show({ model, ...done }: Done & { model: string }) {
      const count = counters.get(model) ?? counter(show, model)
      counters.set(model, count)
      count(done)
    },
    end,
  }
}

function counter(show: ProgressView['show'], model: string): (done: Done) => void {
  const rate = new Rate()
  const started = originals.monotonic()
  let seen = 0
  return ({ bytes, totalBytes }) => {
    rate.saw(bytes - seen)
    seen = bytes
    const elapsedMs = originals.monotonic() - started
    const { bytesPerSecond } = rate
    show({ model, receivedBytes: bytes, totalBytes, elapsedMs, bytesPerSecond })
  }
}
