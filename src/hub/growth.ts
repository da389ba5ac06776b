import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { originals } from '../platform/originals.ts'

// One step, of a difference that no noise hides: what a line is that caps each connection, it tells at once.
const MANY = 8
// Long enough for a rate to mean something, short against the download of a large file.
const SHORTEST_WINDOW_MS = 50
const SMALLEST_WINDOW_BYTES = 1 << 20
// A server or a line that is the limit itself gives several connections what it gave one, and a little noise.
const WORTH_IT = 1.25
// A process that works for so much of the time is the limit itself. One connection that is capped at 50 MB/s keeps it busy for 0.2 to 0.4
// of the time and one that nothing caps for 0.7 to 0.9.
const BUSY = 0.6

/** By what growth goes. */
export interface Meter {
  /** Milliseconds on a clock that never jumps. */
  now(): number
  /** Begins to look at how busy the process is; what it gives says for how much of the time since then: 0 to 1. */
  watch(): () => number
}

/** Finds out whether several connections make a download faster than one. */
export class Growth {
  /** How many connections are wanted now. */
  lanes = 1
  /** Of one connection, in bytes per millisecond. */
  #rate = 0
  #isSettled = false
  /** How many have to be answered until all that are wanted are there: what comes before says nothing of their rate. */
  #awaited = 1
  #answering = 0
  /** The time in which any connection had an answer: a pause between two parts of the only one is none of the line's. */
  #answeredMs = 0
  #bytes = 0
  #seen = 0
  #busy: () => number

  constructor(readonly meter: Meter = THIS_PROCESS) {
    this.#busy = meter.watch()
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  /** A connection's request is answered: its body comes from now on. */
  opened(): void {
    this.#tick()
    this.#answering++
    if (this.#awaited > 0 && --this.#awaited === 0) this.#begin()
  }

  /** The body of an answer is over. */
  closed(): void {
    this.#tick()
    this.#answering--
  }

  /** Takes note of bytes that came; true when more connections are wanted from now on. */
  saw(bytes: number): boolean {
    if (this.#isSettled || this.#awaited > 0) return false
    this.#tick()
    this.#bytes += bytes
    // Several bring more that is not even: what had piled up, or a slice more of one.
    const windowMs = this.lanes === 1 ? SHORTEST_WINDOW_MS : 2 * SHORTEST_WINDOW_MS
    if (this.#answeredMs < windowMs || this.#bytes < SMALLEST_WINDOW_BYTES) return false
    const rate = this.#bytes / this.#answeredMs
    if (this.lanes > 1) this.settle(rate < this.#rate * WORTH_IT ? 1 : this.lanes)
    else if (this.#busy() > BUSY) this.settle(1)
    else {
      this.#rate = rate
      this.#awaited = MANY - this.lanes
      this.lanes = MANY
    }
    return !this.#isSettled
  }

  /** Leaves it at so many connections. */
  settle(lanes: number): void {
    this.lanes = lanes
    this.#isSettled = true
  }

  #begin(): void {
    this.#answeredMs = 0
    this.#bytes = 0
    this.#busy = this.meter.watch()
  }

  #tick(): void {
    const now = this.meter.now()
    if (this.#answering > 0) this.#answeredMs += now - this.#seen
    this.#seen = now
  }
}

/**
 * By the loop of this thread, which is busy too while the system runs others, and by the processors' time, which other threads may
 * have had: by the less of the two.
 */
const THIS_PROCESS: Meter = {
  now: originals.monotonic,
  watch() {
    const [at, loop, cpu] = [originals.monotonic(), performance.eventLoopUtilization(), process.cpuUsage()]
    return () => {
      const { user, system } = process.cpuUsage(cpu)
      const elapsedMs = originals.monotonic() - at
      return Math.min(performance.eventLoopUtilization(loop).utilization, (user + system) / 1000 / elapsedMs)
    }
  },
}
