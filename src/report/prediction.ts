import type { Report } from './types.ts'
import { labelOf } from './words.ts'

/**
 * A line about models that were downloaded although they were not used, and models that were downloaded only when a test asked for
 * them. Empty if the prediction cost nothing.
 */
export function predictionLines({ prediction, models }: Report): string[] {
  if (!prediction) return []
  const cameInThisRun = new Set(models.filter((model) => model.downloadedBytes + model.restoredBytes > 0).map(labelOf))
  const came = (names: string[]) => names.filter((name) => cameInThisRun.has(name)).join(', ')
  const [late, vain] = [came(prediction.unpredicted), came(prediction.unused)]
  const parts = [
    ...(late ? [`not predicted: ${late}`] : []),
    ...(vain ? [`predicted and downloaded, but not used: ${vain}`] : []),
  ]
  return parts.length > 0 ? [parts.join(' · ')] : []
}
