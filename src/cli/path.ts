import { realpath } from 'node:fs/promises'
import { isAt } from '../cache/find.ts'
import type { ModelCache } from '../cache/model-cache.ts'
import { stampOf } from '../cache/store/blobs.ts'
import { type Entry, hasPacked } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import { parseHubPath } from '../model/hub-path.ts'
import { printable } from '../model/printable.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { printJson } from './show/json.ts'
import { printLines } from './show/print.ts'
import { atCommit } from './show/text.ts'

/** Prints only the absolute path of a cached model's folder, or of one of its files. Downloads nothing. */
export async function path(name: string, file: string | undefined, options: GlobalOptions): Promise<number> {
  const { cache } = await openCache(options, { needsOptions: false })
  const entry = await chosen(cache, name)
  const { layout } = cache.context
  const folder = layout.snapshot(entry.repo, entry.snapshot)
  const found = file === undefined ? folder : layout.file(entry.repo, entry.snapshot, parseHubPath(file, name))
  if (hasPacked(entry) && !stampOf(found)) throw packed(entry)
  const isThere = file === undefined || [...entry.files.keys()].some((path) => path === file)
  if (!isThere || !stampOf(found)) throw missing(entry, file)
  // `path` keeps the file's name in the model. `realPath` follows the links, to the blob.
  const { repo, revision, commit } = entry
  if (options.json) printJson({ repo, revision, commit, path: found, realPath: await realpath(found) })
  else printLines(asPrinted(found))
  return 0
}

/** A script needs the path unchanged. Throws `UNSAFE_PATH` when it can't be printed unchanged. */
function asPrinted(path: string): string {
  if (printable(path) === path) return path
  throw new ModelCacheError({
    code: 'UNSAFE_PATH',
    asked: `The path ${path}`,
    reason: 'It has characters that control a terminal or a CI log.',
    nextStep: 'Use `--json`, which prints it with escapes.',
  })
}

/** The entry at the commit of `main`. If several entries or none are at that commit, the one that was used last. */
async function chosen(cache: ModelCache, name: string): Promise<Entry> {
  const entries = await cache.find(name)
  const [first, ...others] = entries
  if (!first) throw new Error('A name without an entry was accepted')
  if (others.some(({ repo }) => repo !== first.repo)) throw severalModels(name, entries)
  const byUse = entries.toSorted((a, b) => (a.lastAccessDate < b.lastAccessDate ? 1 : -1))
  for (const entry of byUse) if (await isAt(cache.context, entry, 'main')) return entry
  return byUse[0] ?? first
}

function severalModels(name: string, entries: Entry[]): ModelCacheError {
  const repos = [...new Set(entries.map(({ repo }) => repo))]
  const some = repos.length > 3 ? `${repos.slice(0, 3).join(', ')} and others` : repos.join(', ')
  return new ModelCacheError({
    code: 'INVALID_MODEL',
    asked: `Model ${name}`,
    reason: `It matches ${repos.length} models: ${some}.`,
    nextStep: 'Name one of them: the command prints one path.',
  })
}

function packed(entry: Entry): ModelCacheError {
  return new ModelCacheError({
    code: 'FILE_NOT_FOUND',
    asked: `Model ${entry.repo}`,
    reason: `${atCommit(entry)} is packed, so its files are not on disk.`,
    nextStep: `Restore it: \`npx vitest-model-cache unpack ${entry.repo}\`.`,
  })
}

function missing(entry: Entry, file: string | undefined): ModelCacheError {
  return new ModelCacheError({
    code: 'FILE_NOT_FOUND',
    asked: file === undefined ? `Model ${entry.repo}` : `File ${file} of ${entry.repo}`,
    reason: `It is not among the ${entry.files.size} cached files of ${atCommit(entry)}.`,
    nextStep: `\`npx vitest-model-cache ls ${entry.repo} --files\` lists them.`,
  })
}
