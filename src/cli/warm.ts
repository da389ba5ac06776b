import { formatDuration, formatSize } from '../config/units.ts'
import { describeModel, parseModel } from '../model/model.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'

/** Brings models in: those that are named, else those of the Vitest config. 1 when one could not be had. */
export async function warm(names: string[], globalOptions: GlobalOptions): Promise<number> {
  const { cache, options } = await openCache(globalOptions)
  const models = names.length > 0 ? names.map(parseModel) : options.models
  if (models.length === 0) {
    console.error('No model was named, and the Vitest config declares none: `npx vitest-model-cache warm org/name`.')
    return 2
  }
  const results = await cache.warm(models)
  for (const result of results) {
    if ('error' in result) console.error(`✗ ${result.error.message}`)
    else console.log(`✓ ${describeModel(result.model)}  ${outcome(result.cached)}`)
  }
  return results.some((result) => 'error' in result) ? 1 : 0
}

function outcome({ bytes, downloadMs }: { bytes: number; downloadMs: number | null }): string {
  const how = downloadMs === null ? 'was there' : `downloaded in ${formatDuration(downloadMs)}`
  return `${formatSize(bytes)}, ${how}`
}
