import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { originals } from '../platform/originals.ts'

// The number of connections to try. One large step shows at once whether the server limits the rate of each connection: the
// difference is larger than the noise.
const MANY = 8
// Long enough to measure a rate, short compared with the download of a large file.
const SHORTEST_WINDOW_MS = 50
const SMALLEST_WINDOW_BYTES = 1 << 20
// If the server or the network is the limit, several connections are not faster than one, apart from noise.
const WORTH_IT = 1.25
// If the process is busy for a larger part of the time, the process itself limits the rate. Measured: 0.2 to 0.4 for one connection that is
// limited to 50 MB/s, 0.7 to 0.9 for one without a limit.
const BUSY = 0.6

/** The measurements that `Growth` needs. */
export interface Meter {
  /** Milliseconds on a clock that never jumps. */
  now(): number
  /** Starts to measure. The returned function gives the part of the time since then in which the process was busy, 0 to 1. */
  watch(): () => number
}

/** Measures whether several connections make a download faster than one. */
export class Growth {
  /** The number of connections that the download should use now. */
  lanes = 1
  /** The rate of one connection, in bytes per millisecond. */
  #rate = 0
  #isSettled = false
  /** The number of connections that still wait for their response. Bytes before that do not count for the rate. */
  #awaited = 1
  #answering = 0
  /** The time in which at least one connection received a body. Pauses between two requests do not count. */
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

  /** A connection has its response; its body follows. */
  opened(): void {
    this.#tick()
    this.#answering++
    if (this.#awaited > 0 && --this.#awaited === 0) this.#begin()
  }

  /** The body of a response has ended. */
  closed(): void {
    this.#tick()
    this.#answering--
  }

  /** Counts received bytes; true when the download should open more connections now. */
  saw(bytes: number): boolean {
    if (this.#isSettled || this.#awaited > 0) return false
    this.#tick()
    this.#bytes += bytes
    // The rate of several connections varies more: some buffers were full at the start, and the parts end at different times.
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

  /** Ends the measurement with this number of connections. */
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
 * Measures this process. The event loop counts as busy while the system runs other processes, and the CPU time includes
 * other threads. Both are upper bounds, so the smaller one is used.
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
