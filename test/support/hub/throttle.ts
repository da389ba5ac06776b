import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ThrottleSettings {
  /** Milliseconds before each answer, of both origins. */
  latencyMs?: number
  /** Bytes per second on one connection. */
  perConnection?: number
  /** Bytes per second over all connections together. */
  total?: number
}

/** Keeps the bodies of responses below the caps. A change holds for responses that start after it. */
export class Throttle {
  settings: ThrottleSettings = {}
  private readonly connections = new WeakMap<Socket, Lane>()
  private readonly total = new Lane()

  /** `undefined` when nothing caps the response: then there is no pacing, and no cost. */
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

/** Cuts a body in slices and says when the next may go. */
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

  /** Waits until `bytes` more have had the time they need under each cap. */
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

/** A line that slices stand in: each starts when the one before has had its time. */
class Lane {
  private free = performance.now()

  reserve(bytes: number, bytesPerSecond: number, now: number): number {
    // A late timer may be made up for, but not a pause: that would let a burst through.
    if (now - this.free > 2 * sliceMs) this.free = now
    this.free += (bytes * 1000) / bytesPerSecond
    return this.free - now
  }
}

// Long against the millisecond that timers are exact to, short against a test.
const sliceMs = 20
