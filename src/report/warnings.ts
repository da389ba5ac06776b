import { formatSize } from '../config/units.ts'
import type { Report } from './types.ts'
import { count, labelOf, percent } from './words.ts'

/** What somebody has to look at after a run: shown as warnings in CI. */
export function warningsOf(report: Report, target: number): string[] {
  const { hitRate, hits, misses, requests, isFirstRun, cache, models } = report
  const repaired = models.filter(({ repaired }) => repaired.length > 0)
  return [
    // A test that failed says so itself, and in a first run there is nothing yet that could be hit.
    ...(hitRate !== null && hitRate < target && misses > 0 && !isFirstRun
      ? [
          `The hit rate of models is ${percent(hitRate)} (${hits} of ${requests}), under the target of ${percent(target)}.`,
        ]
      : []),
    ...(cache && cache.size > cache.maxSize
      ? [`The model cache takes ${formatSize(cache.size)}, over its limit of ${formatSize(cache.maxSize)}.`]
      : []),
    ...(repaired.length > 0
      ? [`Cached files had changed, and were repaired: ${repaired.map(filesRepaired).join(', ')}.`]
      : []),
  ]
}

function filesRepaired(model: Report['models'][number]): string {
  return `${labelOf(model)} (${count(model.repaired.length, 'file')})`
}
