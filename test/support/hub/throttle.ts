import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ThrottleSettings {
  /** Milliseconds before each response of both origins. */
  latencyMs?: number
  /** Bytes per second on one connection. */
  perConnection?: number
  /** Bytes per second over all connections together. */
  total?: number
}

/** Limits the rate of response bodies. A change applies to responses that start after it. */
export class Throttle {
  settings: ThrottleSettings = {}
  private readonly connections = new WeakMap<Socket, Lane>()
  private readonly total = new Lane()

  /** The pacer of a response; undefined when no limit applies, so that there is no cost. */
  pacerFor(socket: Socket, bytesPerSecond?: number): Pacer | undefined {
    const { perConnection, total } = this.settings
    const caps: Cap[] = []
    if (perConnection !== undefined) caps.push({ lane: this.laneOf(socket), bytesPerSecond: perConnection })
    if (total !== undefined) caps.push({ lane: this.total, bytesPerSecond: total })
    if (bytesPerSecond !== undefined) caps.push({ lane: new Lane(), bytesPerSecond })
    return caps.length === 0 ? undefined : new Pacer(caps)
  }

  private laneOf(socket: Socket): Lane {
    const lane = this.connections.get(socket) ?? new Lane()
    this.connections.set(socket, lane)
    return lane
  }
}

/** Cuts a body into slices, and waits before each slice. */
export class Pacer {
  private readonly caps: readonly Cap[]
  private readonly sliceSize: number

  constructor(caps: readonly Cap[]) {
    this.caps = caps
    const slowest = Math.min(...caps.map(({ bytesPerSecond }) => bytesPerSecond))
    this.sliceSize = Math.max(1, Math.floor((slowest * sliceMs) / 1000))
  }

  *slices(chunk: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < chunk.length; at += this.sliceSize) yield chunk.subarray(at, at + this.sliceSize)
  }

  /** Waits until `bytes` more bytes may be sent under each limit. */
  async turn(bytes: number, signal: AbortSignal): Promise<void> {
    const now = performance.now()
    const wait = Math.max(...this.caps.map(({ lane, bytesPerSecond }) => lane.reserve(bytes, bytesPerSecond, now)))
    if (wait >= 1) await sleep(wait, undefined, { signal })
  }
}

interface Cap {
  lane: Lane
  bytesPerSecond: number
}

/** The schedule of one limit: each slice starts when the time of the previous one has passed. */
class Lane {
  private free = performance.now()

  reserve(bytes: number, bytesPerSecond: number, now: number): number {
    // A late timer is compensated, but a pause is not: it would allow a burst.
    if (now - this.free > 2 * sliceMs) this.free = now
    this.free += (bytes * 1000) / bytesPerSecond
    return this.free - now
  }
}

// Long compared with the precision of timers (1 ms), short compared with a test.
const sliceMs = 20
