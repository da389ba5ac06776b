import { originals } from '../platform/originals.ts'

/** The time by the clock in which calls of a store waited and got nothing, since one last got something. Calls at the same time count once. */
export class FruitlessTime {
  /** Milliseconds. */
  ms = 0
  #waiting = 0
  #since = 0

  /** Begins a call. Returns a function to be called at its end. */
  begin(): (gotBytes: boolean) => void {
    if (this.#waiting++ === 0) this.#since = originals.monotonic()
    return (gotBytes) => {
      const now = originals.monotonic()
      this.ms = gotBytes ? 0 : this.ms + now - this.#since
      this.#since = now
      this.#waiting--
    }
  }
}
