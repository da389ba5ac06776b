import type { CachedModel } from '../cache/cached-model.ts'
import type { WarmResult } from '../cache/warm.ts'
import { formatDuration, formatSize } from '../config/units.ts'
import { describeModel } from '../model/model.ts'
import { count } from '../report/words.ts'
import { interrupted } from './interruption.ts'
import { applyFrozen, type FrozenFlag, type GlobalOptions, openCache } from './open-cache.ts'
import { printJson } from './show/json.ts'
import { printLines, printNotes } from './show/print.ts'
import { openProgress } from './show/progress.ts'
import { paint } from './show/style.ts'
import { modelsOfCall } from './warm-names.ts'

interface WarmFlags extends GlobalOptions, FrozenFlag {
  config?: boolean
}

/** Downloads the named models, those of the config, or both. The exit code is 1 when one failed. */
export async function warm(names: string[], options: WarmFlags): Promise<number> {
  applyFrozen(options)
  const { cache, config } = await openCache(options)
  const models = await modelsOfCall(names, options, { cache, config })
  if (models.length === 0) {
    printNotes('No model is named, and the config declares none. Name one: `npx vitest-model-cache warm org/name`.')
    return 2
  }
  const progress = await openProgress()
  let results: WarmResult[]
  try {
    results = await cache.warm(models, { signal: interrupted, onProgress: progress.show })
  } finally {
    progress.end()
  }
  if (options.json) printJson({ models: results.map(resultJson) })
  else print(results)
  return results.some((result) => 'error' in result) ? 1 : 0
}

function print(results: WarmResult[]): void {
  for (const result of results) {
    if ('error' in result) printNotes(`${paint('red', '✗', process.stderr)} ${result.error.message}`)
    else printLines(`${paint('green', '✓')} ${describeModel(result.model)}  ${outcome(result.cached)}`)
  }
  const failed = results.flatMap((result) => ('error' in result ? [describeModel(result.model)] : []))
  if (failed.length > 0)
    printNotes(`${failed.length} of ${count(results.length, 'model')} failed: ${failed.join(', ')}`)
}

function outcome({ bytes, downloadMs, restoreMs, tier }: CachedModel): string {
  if (tier === 'remote') return `${formatSize(bytes)}, taken from the remote in ${formatDuration(restoreMs ?? 0)}`
  if (tier === 'cold') return `${formatSize(bytes)}, restored from the pack files in ${formatDuration(restoreMs ?? 0)}`
  const there = tier === 'adopted' ? 'taken from your Hugging Face cache' : 'already cached'
  const how = downloadMs === null ? there : `downloaded in ${formatDuration(downloadMs)}`
  return `${formatSize(bytes)}, ${how}`
}

function resultJson(result: WarmResult): object {
  const { repo, revision } = result.model
  if ('error' in result) return { repo, revision, ok: false, error: result.error.toJSON() }
  const { commit, tier, bytes, downloadMs, downloadedBytes, restoreMs, restoredBytes, unpackedBytes, directory } =
    result.cached
  const amounts = { bytes, downloadMs, downloadedBytes, restoreMs, restoredBytes, unpackedBytes }
  return { repo, revision, ok: true, commit, tier, ...amounts, directory }
}
