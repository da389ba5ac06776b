import type { Report } from '../../report/report.ts'
import type { FinishedRun } from './finished-run.ts'

/** The downloads during which tests ran, of all projects. Null if there were none. */
export function prefetchOf({ warmUps }: FinishedRun): Report['prefetch'] {
  const all = warmUps.flatMap(({ prefetch }) => prefetch ?? [])
  if (all.length === 0) return null
  return {
    aheadMs: Math.max(...all.map(({ aheadMs }) => aheadMs)),
    models: all.flatMap(({ models }) => models).sort(),
    unfinished: all.flatMap(({ unfinished }) => unfinished).sort(),
  }
}
