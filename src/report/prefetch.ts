import { formatDuration } from '../config/units.ts'
import type { Report } from './types.ts'

/** Lines about tests that ran during downloads, and about downloads that were not at their end. Empty if there were none. */
export function prefetchLines({ prefetch }: Report): string[] {
  if (!prefetch) return []
  const { aheadMs, models, unfinished } = prefetch
  return [
    ...(models.length > 0 && unfinished.length === 0
      ? [`tests began ${formatDuration(aheadMs)} before the last of these models was downloaded: ${models.join(', ')}`]
      : []),
    ...(unfinished.length > 0
      ? [`the tests ended before these downloads, which will be continued: ${unfinished.join(', ')}`]
      : []),
  ]
}
