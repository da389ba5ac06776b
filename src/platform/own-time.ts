import { hostGlobal, originals } from './originals.ts'

// On `process`, as the preload begins it before any module is there, and vm contexts share it.
const KEY = Symbol.for('vitest-model-cache.own-time')

/** What the package took of a process's time, by its parts: milliseconds. */
interface OwnTime {
  parts: Record<string, number>
  /** How much of their sum was told already. */
  told: number
}

function ownTime(): OwnTime {
  const process: object = hostGlobal().process
  const holder: { [KEY]?: OwnTime } = process
  holder[KEY] ??= { parts: {}, told: 0 }
  return holder[KEY]
}

/**
 * Counts what has passed since `started` (of `originals.monotonic`) as the package's own time. Who profiles the process sees it as
 * a `performance` measure: it is not left in the timeline, where a suite may look for measures of its own. What is spent while tests
 * run is not shown, unless that is asked for: a suite may observe measures, too.
 */
export function spent(part: string, started: number, isShown = true): void {
  const ended = originals.monotonic()
  const { parts } = ownTime()
  parts[part] = (parts[part] ?? 0) + ended - started
  if (isShown) originals.showSpan(`vitest-model-cache: ${part}`, started, ended)
}

/** What `work` gives, counted as the package's own time. */
export function measured<T>(part: string, work: () => T): T {
  const started = originals.monotonic()
  try {
    return work()
  } finally {
    spent(part, started)
  }
}

/** Milliseconds since the last `takeOwnMs`. */
export function ownMs(): number {
  const { parts, told } = ownTime()
  return sumOf(parts) - told
}

export function takeOwnMs(): number {
  const since = ownMs()
  ownTime().told += since
  return since
}

function sumOf(parts: Record<string, number>): number {
  return Object.values(parts).reduce((sum, ms) => sum + ms, 0)
}
