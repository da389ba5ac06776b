/**
 * Clock, timers and fetch as they were when this module was first loaded, which is before any user code runs.
 * A suite may use fake timers, `setSystemTime(0)` or a stubbed fetch: none of that may reach the engine.
 *
 * File functions need no copy here: the engine imports them by name from `node:fs`, and a spy on the `fs` object does
 * not change such bindings.
 */
export const originals = {
  /** Milliseconds since the epoch. */
  now: Date.now.bind(Date),
  /** Milliseconds on a clock that never jumps, for durations. */
  monotonic: performance.now.bind(performance),
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  fetch: globalThis.fetch,
}

/** The present moment as an ISO 8601 text, from the original clock. */
export function isoNow(): string {
  return new OriginalDate(originals.now()).toISOString()
}

const OriginalDate = Date

/** Resolves after `ms` milliseconds of real time; rejects with the signal's reason when it aborts first. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      originals.clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = originals.setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
