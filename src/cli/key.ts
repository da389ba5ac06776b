import { createHash } from 'node:crypto'
import { FORMAT } from '../cache/store/cache-folder.ts'
import { readLockFile } from '../config/lock-file.ts'
import type { Entry } from '../model/entry.ts'
import { printLockFile } from '../model/lock-file.ts'
import { type Model, modelKey } from '../model/model.ts'
import { selectionKey } from '../model/selection.ts'
import { count } from '../report/words.ts'
import { declaredModels } from './config/declared-models.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { printJson } from './show/json.ts'
import { printLines, printNotes } from './show/print.ts'

/** As many hexadecimal digits of a sha256 are printed. */
const KEY_LENGTH = 16

interface KeyFlags extends GlobalOptions {
  config?: boolean
  cached?: boolean
}

/**
 * Prints a key for a CI cache: of the lock file, else of what the cache holds, or with `--config` of what the config declares.
 * The same content gives the same key on every machine and system.
 */
export async function key({ config: ofConfig, cached, ...global }: KeyFlags): Promise<number> {
  const opened = await openCache(global, { needsOptions: !cached })
  const { cache, options } = opened
  const lockFile = ofConfig || cached || options.lockfile === undefined ? undefined : readLockFile(options.lockfile)
  const of = ofConfig ? 'config' : lockFile ? 'lock file' : 'cache'
  const parts = ofConfig
    ? (await declaredModels(opened.config)).map((model) => declaredPart(model, options.hub.endpoint))
    : lockFile
      ? lockFile.models.map((model) => printLockFile({ models: [model] }))
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

function emptyNote(of: 'cache' | 'config' | 'lock file', directory: string): string {
  const what = {
    cache: `The cache ${directory} holds`,
    config: 'The config declares',
    'lock file': 'The lock file has',
  }[of]
  return `${what} ${count(0, 'model')}: the key stands for nothing.`
}
