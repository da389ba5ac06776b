import { originals } from '../platform/originals.ts'

const TICKS = 20

/**
 * Calls `callback` after each `ms` milliseconds in which this process could receive. A process that is busy for long runs its timers
 * before it reads what arrived meanwhile, so that time does not count. Returns a function that ends the timer.
 */
export function liveTimer(ms: number, callback: () => void): () => void {
  let ticks = 0
  const timer = originals.setInterval(() => {
    ticks = (ticks + 1) % TICKS
    if (ticks === 0) callback()
  }, ms / TICKS)
  return () => originals.clearInterval(timer)
}
