// Each lookup waits for a lock or for the Hub. A client that gives up leaves its lookup behind.
const MOST_AT_ONCE = 256

/** Too many lookups are under way. */
export class BusyError extends Error {
  override readonly name = 'BusyError'
}

/** Lookups under way, by key: clients that ask for the same share one. A lookup goes on when its clients are gone. */
export class Shared<Result> {
  readonly #underWay = new Map<string, Promise<Result>>()

  /** The result of the lookup that is under way, else of `look`. Throws `BusyError`. */
  async get(key: string, look: () => Promise<Result>): Promise<Result> {
    const known = this.#underWay.get(key)
    if (known) return known
    if (this.#underWay.size >= MOST_AT_ONCE) throw new BusyError('Too many lookups are under way.')
    const lookup = look().finally(() => this.#underWay.delete(key))
    this.#underWay.set(key, lookup)
    return lookup
  }
}
