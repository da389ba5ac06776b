import { hostGlobal, originals } from './originals.ts'

// Stored on `process`: the preload starts to count before any module is loaded, and vm contexts share `process`.
const KEY = Symbol.for('vitest-model-cache.own-time')

/** The plugin overhead in this process, in milliseconds. */
interface OwnTime {
  /** By the name of the part. */
  parts: Record<string, number>
  /** The part of the total that `takeOwnMs` has already returned. */
  told: number
}

function ownTime(): OwnTime {
  const process: object = hostGlobal().process
  const holder: { [KEY]?: OwnTime } = process
  holder[KEY] ??= { parts: {}, told: 0 }
  return holder[KEY]
}

/**
 * Adds the time since `started` (of `originals.monotonic`) to the plugin overhead. With `isShown` it is also emitted as a
 * `performance` measure for profilers, and then removed from the timeline, where a suite may look for measures of its own.
 * Pass false while tests run: a suite may observe measures, too. Pass false in a worker: its first measure takes 1 ms.
 */
export function spent(part: string, started: number, isShown = true): void {
  const ended = originals.monotonic()
  const { parts } = ownTime()
  parts[part] = (parts[part] ?? 0) + ended - started
  if (isShown) originals.showSpan(`vitest-model-cache: ${part}`, started, ended)
}

/** Runs `work`, counts its time as plugin overhead, shows it to profilers, and returns its result. */
export function measured<T>(part: string, work: () => T): T {
  return timed(part, work, true)
}

/** As `measured`, for workers: the time is not shown to profilers. */
export function counted<T>(part: string, work: () => T): T {
  return timed(part, work, false)
}

function timed<T>(part: string, work: () => T, isShown: boolean): T {
  const started = originals.monotonic()
  try {
    return work()
  } finally {
    spent(part, started, isShown)
  }
}

/** The plugin overhead since the last `takeOwnMs`, in milliseconds. */
export function ownMs(): number {
  const { parts, told } = ownTime()
  return sumOf(parts) - told
}

/** As `ownMs`. The count starts from zero again. */
export function takeOwnMs(): number {
  const since = ownMs()
  ownTime().told += since
  return since
}

function sumOf(parts: Record<string, number>): number {
  return Object.values(parts).reduce((sum, ms) => sum + ms, 0)
}
