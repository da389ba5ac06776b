import type { Fetch } from '../../net/fetch.ts'
import { originals } from '../../platform/originals.ts'

/** How long the Hub has been asked and has not answered anything. */
export class Silence {
  #since: number | undefined
  #isOver = false

  /** Called before the Hub is asked. */
  begin(): void {
    if (!this.#isOver) this.#since ??= originals.monotonic()
  }

  /** Milliseconds. 0 if the Hub was not asked, or has answered before. */
  get ms(): number {
    return this.#since === undefined ? 0 : originals.monotonic() - this.#since
  }

  /** A fetch whose first answer ends the silence. */
  endedBy(fetch: Fetch): Fetch {
    return async (input, init) => {
      const answer = await fetch(input, init)
      this.#isOver = true
      this.#since = undefined
      return answer
    }
  }
}
