import { originals } from '../../platform/originals.ts'

// The rate of the last seconds predicts the next ones better than the average since the start.
const WINDOW_MS = 5_000
const SLOT_MS = 250
// A shorter time gives no useful rate: the first bytes come in a burst, or one by one.
const MEANINGFUL_MS = 1_000

/** Bytes per second, over the last seconds. */
export class Rate {
  /** In order of time. Each slot holds the bytes of the `SLOT_MS` after it. The first chunk only starts the clock. */
  #slots: { at: number; bytes: number }[] = []

  saw(bytes: number): void {
    const now = originals.monotonic()
    this.#forget(now)
    const last = this.#slots.at(-1)
    if (!last) this.#slots.push({ at: now, bytes: 0 })
    else if (now - last.at < SLOT_MS) last.bytes += bytes
    else this.#slots.push({ at: now, bytes })
  }

  /** Undefined until `MEANINGFUL_MS` have passed. */
  get bytesPerSecond(): number | undefined {
    const now = originals.monotonic()
    this.#forget(now)
    const [first] = this.#slots
    if (!first || now - first.at < MEANINGFUL_MS) return undefined
    const bytes = this.#slots.reduce((sum, slot) => sum + slot.bytes, 0)
    return bytes > 0 ? (bytes * 1000) / (now - first.at) : undefined
  }

  #forget(now: number): void {
    this.#slots = this.#slots.filter(({ at }) => now - at <= WINDOW_MS)
  }
}
