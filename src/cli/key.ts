import { createHash } from 'node:crypto'
import { FORMAT } from '../cache/store/cache-folder.ts'
import type { Entry } from '../model/entry.ts'
import { type Model, modelKey } from '../model/model.ts'
import { selectionKey } from '../model/selection.ts'
import { count } from '../report/words.ts'
import { declaredModels } from './config/declared-models.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { printJson } from './show/json.ts'
import { printLines, printNotes } from './show/print.ts'

/** As many hexadecimal digits of a sha256 are printed. */
const KEY_LENGTH = 16

/**
 * Prints a key for a CI cache: of what the cache holds, or with `--config` of what the Vitest config declares. The same content gives
 * the same key on every machine and system.
 */
export async function key({ config: ofConfig, ...global }: GlobalOptions & { config?: boolean }): Promise<number> {
  const { cache, config, options } = await openCache(global, { needsOptions: ofConfig === true })
  const of = ofConfig ? 'config' : 'cache'
  const parts = ofConfig
    ? (await declaredModels(config)).map((model) => declaredPart(model, options.hub.endpoint))
    : (await cache.list()).map(cachedPart)
  if (parts.length === 0) printNotes(emptyNote(of, cache.context.layout.directory))
  const digest = keyOf(of, parts)
  if (global.json) printJson({ key: digest, of, models: parts.length, format: FORMAT })
  else printLines(digest)
  return 0
}

/** The order of the parts does not matter, and a repeated part counts once. */
function keyOf(of: string, parts: string[]): string {
  const lines = [`format ${FORMAT}`, of, ...[...new Set(parts)].sort()]
  return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, KEY_LENGTH)
}

/** All that decides which requests an entry serves. Its dates and counts do not. */
function cachedPart({ repo, commit, endpoint = '', files }: Entry): string {
  const contents = [...files].map(([path, { digest }]) => `${path} ${digest}`).sort()
  return JSON.stringify([repo, commit, endpoint, contents])
}

function declaredPart(model: Model, endpoint: string): string {
  return JSON.stringify([modelKey(model), selectionKey(model.selection), endpoint])
}

function emptyNote(of: 'cache' | 'config', directory: string): string {
  const what = of === 'cache' ? `The cache ${directory} holds` : 'The Vitest config declares'
  return `${what} ${count(0, 'model')}: the key stands for nothing.`
}
