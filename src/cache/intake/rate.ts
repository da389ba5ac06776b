import { originals } from '../../platform/originals.ts'

// The last seconds say what comes next better than the time since the start.
const WINDOW_MS = 5_000
const SLOT_MS = 250
// What came in a shorter time says nothing yet: the first bytes come in a burst, or one by one.
const MEANINGFUL_MS = 1_000

/** How fast bytes have come in the last seconds. */
export class Rate {
  /** By time; each holds what came within `SLOT_MS` after it. The first chunk only starts the clock. */
  #slots: { at: number; bytes: number }[] = []

  saw(bytes: number): void {
    const now = originals.monotonic()
    this.#forget(now)
    const last = this.#slots.at(-1)
    if (!last) this.#slots.push({ at: now, bytes: 0 })
    else if (now - last.at < SLOT_MS) last.bytes += bytes
    else this.#slots.push({ at: now, bytes })
  }

  /** Undefined until it means something. */
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
