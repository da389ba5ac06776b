import type { ModelCache } from '../../cache/model-cache.ts'
import type { Maintained } from '../../cache/upkeep/maintenance/maintain.ts'
import { maintainBriefly } from '../../cache/upkeep/maintenance/maintain-briefly.ts'
import { originals } from '../../platform/originals.ts'

// The run must not wait for maintenance longer than this. The next run does the rest.
const MAINTAIN_WITHIN_MS = 5_000

export interface AfterRun {
  /** No further work of this process needs the models of the run. */
  isOver: boolean
  /** False if this run maintains the cache once more, after an upload. Then no other process goes on with what is left. */
  isLast: boolean
  /** The write of the metadata that has begun. */
  written?: Promise<unknown>
}

/**
 * Maintains a cache at the end of a run, as its option `maintenance` says. Returns what was removed, and whether another process has to
 * go on. Undefined if nothing was done, or if it took too long.
 */
export async function maintainAfterRun(
  cache: ModelCache,
  { isOver, isLast, written }: AfterRun,
): Promise<(Maintained & { isLeft?: boolean }) | undefined> {
  const { maintenance = 'run' } = cache.context.options
  if (maintenance === 'run') return inTime(cache.maintain({ isOver, written }))
  await inTime(Promise.resolve(written))
  if (maintenance === 'none') return undefined
  const isFollowed = isLast && maintenance === 'background'
  return inTime(maintainBriefly(cache.context, { isOver, isFollowed, isLast }))
}

/** The result of the work. Undefined if the work takes too long: it then continues, but nobody waits for it. */
function inTime<T>(work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = originals.setTimeout(() => resolve(undefined), MAINTAIN_WITHIN_MS)
    work.then(resolve, reject).finally(() => originals.clearTimeout(timer))
  })
}
