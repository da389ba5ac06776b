import type { Report } from './types.ts'
import { count, percent } from './words.ts'

/** True if the hit rate is below the target. */
export function isBelow({ hitRate }: Pick<Report, 'hitRate'>, target: number): boolean {
  return hitRate !== null && hitRate < target
}

/** `4 requests: 3 hits, 1 miss · hit rate 75% (target 80%)` */
export function summaryOf(report: Report, target: number): string {
  const { requests, hitRate } = report
  if (report.mode === 'unit') return unitSummary(report)
  if (hitRate === null) return 'no request was served'
  return `${count(requests, 'request')}: ${countsOf(report)} · hit rate ${percent(hitRate)} (${measureOf(report, target)})`
}

function unitSummary({ mocks, failed }: Report): string {
  const refused = failed > 0 ? `, ${failed} failed` : ''
  return `unit mode: ${count(mocks, 'mock')} in place of models${refused}; the cache was not used`
}

/** `3 hits, 1 miss, 1 failed` */
export function countsOf({ hits, misses, failed }: Report): string {
  const parts = [count(hits, 'hit'), count(misses, 'miss', 'misses'), ...(failed > 0 ? [`${failed} failed`] : [])]
  return parts.join(', ')
}

/** What the hit rate is compared with. A first run has no target: nothing is cached before it. */
export function measureOf(report: Report, target: number): string {
  return report.isFirstRun && isBelow(report, target) ? 'first run' : `target ${percent(target)}`
}
