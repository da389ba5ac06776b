import { originals } from '../platform/originals.ts'

const MOST_LANES = 8
// Long enough for a rate to mean something, short against the download of a large file.
const SHORTEST_WINDOW_MS = 50
const SMALLEST_WINDOW_BYTES = 1 << 20
// A server or a line that is the limit itself gives two connections what it gave one, and a little noise.
const WORTH_IT = 1.25

/** Finds out how many connections make a download faster: doubles them for as long as that pays. */
export class Growth {
  /** How many connections are wanted now. */
  lanes = 1
  #before = 1
  #rate = 0
  #isSettled = false
  #opening = 0
  #since = 0
  #bytes = 0

  get isSettled(): boolean {
    return this.#isSettled
  }

  /** A connection asks for a part: what comes until it is answered says nothing of the rate. */
  opening(): void {
    this.#opening++
  }

  opened(): void {
    this.#opening--
    this.#since = originals.monotonic()
    this.#bytes = 0
  }

  /** Takes note of bytes that came; true when more connections are wanted from now on. */
  saw(bytes: number): boolean {
    this.#bytes += bytes
    if (this.#isSettled || this.#opening > 0) return false
    const elapsedMs = originals.monotonic() - this.#since
    if (elapsedMs < SHORTEST_WINDOW_MS || this.#bytes < SMALLEST_WINDOW_BYTES) return false
    const rate = this.#bytes / elapsedMs
    if (rate < this.#rate * WORTH_IT) {
      this.settle(this.#before)
      return false
    }
    this.#rate = rate
    this.#before = this.lanes
    this.lanes *= 2
    if (this.lanes === MOST_LANES) this.settle(MOST_LANES)
    return true
  }

  /** Leaves it at so many connections. */
  settle(lanes: number): void {
    this.lanes = lanes
    this.#isSettled = true
  }
}
