import type { Report } from './types.ts'
import { labelOf } from './words.ts'

/**
 * A line about models that were downloaded in this run: those that were used and not predicted, and those that were predicted and not
 * used. Empty if there are none.
 */
export function predictionLines({ prediction, models }: Report): string[] {
  if (!prediction) return []
  const downloaded = new Set(models.filter((model) => model.downloadedBytes + model.restoredBytes > 0).map(labelOf))
  const [unpredicted, unused] = [prediction.unpredicted, prediction.unused].map((names) =>
    names.filter((name) => downloaded.has(name)).join(', '),
  )
  const parts = [
    ...(unpredicted ? [`not predicted: ${unpredicted}`] : []),
    ...(unused ? [`predicted and downloaded, but not used: ${unused}`] : []),
  ]
  return parts.length > 0 ? [parts.join(' · ')] : []
}
