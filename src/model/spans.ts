/** A range of a file's bytes, from `start` up to but not including `end`. */
export interface Span {
  start: number
  end: number
}

/** The byte ranges of a file that have been received. */
export class Spans {
  /** Sorted; neighbours are merged, so there is a gap between any two. */
  #parts: Span[] = []

  constructor(parts: Iterable<Span> = []) {
    for (const part of parts) this.add(part)
  }

  get parts(): readonly Span[] {
    return this.#parts
  }

  /** The total of received bytes. */
  get bytes(): number {
    return this.#parts.reduce((sum, { start, end }) => sum + end - start, 0)
  }

  add({ start, end }: Span): void {
    if (start >= end) return
    const before = this.#parts.filter((part) => part.end < start)
    const after = this.#parts.filter((part) => part.start > end)
    const touched = this.#parts.slice(before.length, this.#parts.length - after.length)
    const merged = {
      start: Math.min(start, touched[0]?.start ?? start),
      end: Math.max(end, touched.at(-1)?.end ?? end),
    }
    this.#parts = [...before, merged, ...after]
  }

  /** The end of the received range that contains `start`; `start` itself when its byte is missing. */
  endOf(start: number): number {
    return this.#parts.find((part) => part.start <= start && start < part.end)?.end ?? start
  }

  /** The missing ranges of a file of that size in bytes, in order. */
  gaps(size: number): Span[] {
    const starts = [0, ...this.#parts.map(({ end }) => end)]
    const ends = [...this.#parts.map(({ start }) => start), size]
    return starts
      .map((start, index) => ({ start, end: Math.min(ends[index] ?? size, size) }))
      .filter(({ start, end }) => start < end)
  }
}
