import { originals } from '../platform/originals.ts'

const TICK_MS = 25

/**
 * The time in which calls of a store waited and got nothing, since one last got something. Calls at the same time count once. Time in
 * which this process was too busy to receive does not count.
 */
export class FruitlessTime {
  /** Milliseconds. */
  ms = 0
  #waiting = 0
  #timer: NodeJS.Timeout | undefined

  /** Begins a call. Returns a function to be called at its end. */
  begin(): (gotBytes: boolean) => void {
    this.#waiting++
    this.#timer ??= originals.setInterval(() => {
      this.ms += TICK_MS
    }, TICK_MS)
    return (gotBytes) => {
      if (gotBytes) this.ms = 0
      if (--this.#waiting > 0) return
      originals.clearInterval(this.#timer)
      this.#timer = undefined
    }
  }
}
