import type { Span } from '../model/spans.ts'

/** The time that spans cover together. A moment in several spans counts once. Spans are added nearly in the order of their ends. */
export class BusyTime {
  /** In order. No two of them touch. */
  #spans: Span[] = []

  /** Adds a span. Returns by how much the covered time grows. */
  add({ start, end }: Span): number {
    let index = this.#spans.length
    while (index > 0 && (this.#spans[index - 1]?.end ?? start) >= start) index--
    const later = this.#spans.splice(index)
    const overlapping = later.filter((span) => span.start <= end)
    const merged = {
      start: Math.min(start, overlapping[0]?.start ?? start),
      end: Math.max(end, overlapping.at(-1)?.end ?? end),
    }
    this.#spans.push(merged, ...later.slice(overlapping.length))
    return overlapping.reduce((grown, span) => grown - (span.end - span.start), merged.end - merged.start)
  }
}
