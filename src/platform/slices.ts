import { originals } from './originals.ts'

// The longest time for which synchronous work may block the process.
const SLICE_MS = 10

/**
 * Cuts synchronous work into slices. Synchronous calls for thousands of files take a tenth of the time of asynchronous ones,
 * which use a thread each. Between two slices, timers, aborts and output get their turn.
 */
export class Slices {
  #since = originals.monotonic()

  /** True when it is time to `pause`. */
  get areOver(): boolean {
    return originals.monotonic() - this.#since > SLICE_MS
  }

  /** Lets other work of the event loop run. */
  async pause(): Promise<void> {
    await new Promise((resolve) => originals.setImmediate(resolve))
    this.#since = originals.monotonic()
  }

  /**
   * Runs work that yields after each step, and returns its result. When `signal` aborts, ends the work, which closes its files, and
   * throws the reason of the signal. `nothing` is a result that nobody gets.
   */
  async run<Result>(work: Generator<void, Result, void>, nothing: Result, signal?: AbortSignal): Promise<Result> {
    try {
      let step = work.next()
      for (; !step.done; step = work.next()) {
        if (this.areOver) await this.pause()
        signal?.throwIfAborted()
      }
      return step.value
    } finally {
      work.return(nothing)
    }
  }
}
