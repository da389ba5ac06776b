import { formatSize } from '../config/units.ts'
import type { Report } from './types.ts'
import { count, labelOf, percent } from './words.ts'

/** The warnings about a run, which CI shows. */
export function warningsOf(report: Report, target: number): string[] {
  const { hitRate, hits, misses, requests, isFirstRun, cache, models } = report
  const repaired = models.filter(({ repaired }) => repaired.length > 0)
  return [
    // A failed request is shown by its test. In a first run nothing is cached yet.
    ...(hitRate !== null && hitRate < target && misses > 0 && !isFirstRun
      ? [
          `The hit rate of models is ${percent(hitRate)} (${hits} of ${requests}), below the target of ${percent(target)}.`,
        ]
      : []),
    ...(cache && cache.size > cache.maxSize
      ? [`The model cache uses ${formatSize(cache.size)}, more than its limit of ${formatSize(cache.maxSize)}.`]
      : []),
    ...(repaired.length > 0
      ? [`Cached files had changed and were repaired: ${repaired.map(filesRepaired).join(', ')}.`]
      : []),
  ]
}

function filesRepaired(model: Report['models'][number]): string {
  return `${labelOf(model)} (${count(model.repaired.length, 'file')})`
}
