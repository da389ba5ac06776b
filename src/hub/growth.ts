import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { originals } from '../platform/originals.ts'

// Few steps, each of a difference that no noise hides: what a line is that caps each connection, one step tells.
const STEPS = [1, 4, 8]
// Long enough for a rate to mean something, short against the download of a large file.
const SHORTEST_WINDOW_MS = 50
const SMALLEST_WINDOW_BYTES = 1 << 20
// A server or a line that is the limit itself gives four connections what it gave one, and a little noise.
const WORTH_IT = 1.25
// A process that works for so much of the time is the limit itself: one connection that is capped by 50 MB/s keeps it busy
// for 0.5 to 0.8 of it, one that nothing caps for 0.95 and more.
const BUSY = 0.9
// One that is busy for a while is at something else, such as the import of a large module: what piled up meanwhile comes in one go
// after that, and says as little of the line.
const BUSY_WINDOWS = 4
// Bytes that come are seen sooner, unless the process is at something else.
const LONGEST_TURN_MS = 30
// What seemed not to pay is tried again: the line, or this process, may have been at something else just then.
const TRIES = 3

/** What a growth goes by. */
export interface Senses {
  /** Milliseconds. */
  now(): number
  /** Begins to watch this process; what it gives says whether it was busy since. */
  watch(): () => boolean
}

/** Finds out how many connections make a download faster: takes more for as long as that pays. */
export class Growth {
  /** A connection that is alone takes so many bytes at once, until the next try. */
  static readonly BYTES_BETWEEN_TRIES = 64 << 20

  /** How many connections are wanted now. */
  lanes = 1
  #before = 1
  #rate = 0
  #isSettled = false
  #triesLeft = TRIES - 1
  #bytesSinceSettled = 0
  /** How many have to be answered until all that are wanted are there: what comes before says nothing of their rate. */
  #awaited = 1
  #answering = 0
  /** The time in which any connection had an answer: a pause between two parts of the only one is none of the line's. */
  #answeredMs = 0
  #bytes = 0
  #seen = 0
  #busyWindows = 0
  #isCatchingUp = false
  #wasBusy: () => boolean
  /** Since bytes came last. */
  #wasTurnBusy: () => boolean
  #isStalled = false

  constructor(readonly senses: Senses = SENSES) {
    this.#wasBusy = senses.watch()
    this.#wasTurnBusy = this.#wasBusy
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  /** True when it is settled for good. */
  get isFinal(): boolean {
    return this.#isSettled && this.#triesLeft === 0
  }

  /** A request is answered: its body comes from now on. `isNew` for the first of a connection. */
  opened(isNew: boolean): void {
    this.#tick()
    this.#answering++
    if (isNew && this.#awaited > 0 && --this.#awaited === 0) this.#begin()
  }

  /** The body of an answer is over. */
  closed(): void {
    this.#tick()
    this.#answering--
  }

  /** Takes note of bytes that came; true when more connections are wanted from now on. */
  saw(bytes: number): boolean {
    if (this.#isSettled) return this.#wait(bytes)
    if (this.#awaited > 0) return false
    const { now } = this.senses
    if (now() - this.#seen > LONGEST_TURN_MS && this.#wasTurnBusy()) this.#isStalled = true
    this.#wasTurnBusy = this.senses.watch()
    this.#tick()
    this.#bytes += bytes
    // Several bring more that is not even: what had piled up, or a slice more of one.
    const windowMs = this.lanes === 1 ? SHORTEST_WINDOW_MS : 2 * SHORTEST_WINDOW_MS
    if (this.#answeredMs < windowMs || this.#bytes < SMALLEST_WINDOW_BYTES) return false
    return this.#decide(this.#bytes / this.#answeredMs)
  }

  #decide(rate: number): boolean {
    if (this.#isStalled || this.#wasBusy()) {
      this.#isCatchingUp = true
      if (++this.#busyWindows === BUSY_WINDOWS) this.#pause(this.lanes)
      else this.#begin()
      return false
    }
    if (!this.#isCatchingUp && rate >= this.#rate * WORTH_IT) return this.#takeMore(rate)
    if (this.#isCatchingUp) this.#begin()
    else this.#pause(this.#before)
    this.#isCatchingUp = false
    return false
  }

  #takeMore(rate: number): boolean {
    this.#rate = rate
    this.#before = this.lanes
    const next = STEPS.find((step) => step > this.lanes) ?? this.lanes
    this.#awaited = next - this.lanes
    this.lanes = next
    if (next === STEPS.at(-1)) this.settle(next)
    return this.lanes > this.#before
  }

  /** Leaves it at so many connections. */
  settle(lanes: number): void {
    this.lanes = lanes
    this.#isSettled = true
    this.#triesLeft = 0
  }

  /** Leaves it at so many connections for a while. */
  #pause(lanes: number): void {
    this.lanes = lanes
    this.#isSettled = true
    this.#bytesSinceSettled = 0
  }

  #wait(bytes: number): false {
    this.#bytesSinceSettled += bytes
    if (this.#triesLeft === 0 || this.#bytesSinceSettled < Growth.BYTES_BETWEEN_TRIES) return false
    this.#triesLeft--
    this.#isSettled = false
    this.#rate = 0
    this.#before = this.lanes
    this.#awaited = 0
    this.#busyWindows = 0
    this.#begin()
    return false
  }

  #begin(): void {
    this.#tick()
    this.#answeredMs = 0
    this.#bytes = 0
    this.#isStalled = false
    this.#wasBusy = this.senses.watch()
  }

  #tick(): void {
    const now = this.senses.now()
    if (this.#answering > 0) this.#answeredMs += now - this.#seen
    this.#seen = now
  }
}

const SENSES: Senses = {
  now: () => originals.monotonic(),
  // By the loop of this thread, which is busy too while the system runs others, and by the processors' time, which other threads may
  // have had.
  watch() {
    const { loop, cpu, at } = {
      loop: performance.eventLoopUtilization(),
      cpu: process.cpuUsage(),
      at: originals.monotonic(),
    }
    return () => {
      const { user, system } = process.cpuUsage(cpu)
      const elapsedMs = originals.monotonic() - at
      return performance.eventLoopUtilization(loop).utilization > BUSY && (user + system) / 1000 > BUSY * elapsedMs
    }
  },
}
