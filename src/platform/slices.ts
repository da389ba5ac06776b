import { originals } from './originals.ts'

// Nothing else of the process waits for longer.
const SLICE_MS = 10

/**
 * Cuts synchronous work into slices. To look at thousands of files one by one takes a tenth of the time at once of what it takes
 * to hand each to a thread; but timers, aborts and lines that are printed must come through.
 */
export class Slices {
  #since = originals.monotonic()

  /** True when it is time to `pause`. */
  get areOver(): boolean {
    return originals.monotonic() - this.#since > SLICE_MS
  }

  /** Lets everything else have its turn. */
  async pause(): Promise<void> {
    await new Promise((resolve) => originals.setImmediate(resolve))
    this.#since = originals.monotonic()
  }
}
