import { accessSync, constants, lstatSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ModelCacheError, systemCode } from '../../model/errors.ts'
import type { Layout } from './layout.ts'
import { hasLostMarker, holdsNothing } from './lost-mark.ts'

/** The format of the cache folder, which `cache.json` states. */
export const FORMAT = 1

/**
 * True when the folder has a complete marker file (`cache.json`). A loss of power can leave an empty or truncated one, which
 * does not count. Commands that delete refuse a folder without a marker. Throws `CACHE_FORMAT` for a newer format.
 */
export function isOurs(layout: Layout): boolean {
  let text: string
  try {
    text = readFileSync(layout.marker, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCode(error) ?? '')) return false
    throw error
  }
  const format = formatOf(text)
  if (format === undefined || format === FORMAT) return format === FORMAT
  throw new ModelCacheError({
    code: 'CACHE_FORMAT',
    asked: `Cache folder ${layout.directory}`,
    reason: `Its cache.json says ${JSON.stringify(text.trim().slice(0, 80))}; this version reads format ${FORMAT}.`,
    nextStep: 'Update vitest-model-cache, or set MODEL_CACHE_DIR to another folder. Nothing was changed.',
  })
}

/**
 * True for a folder that holds other things and has no marker file: nothing in it may be changed. False for a cache folder that lost
 * its marker: it gets a new one. Throws `CACHE_FORMAT` for a newer format.
 */
export function isForeign(layout: Layout): boolean {
  try {
    return !isOurs(layout) && !holdsNothing(layout) && !hasLostMarker(layout)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    if (systemCode(error) === 'ENOTDIR') return true
    throw error
  }
}

/** The error of a folder in which nothing may be changed. Undefined for a cache folder and for a folder that may become one. Never throws. */
export function refusalOf(layout: Layout): ModelCacheError | undefined {
  try {
    return isForeign(layout) ? notACache(layout) : linkedFolder(layout)
  } catch {
    // The folder has a newer format or is unreadable: the next step that needs the folder reports that.
    return undefined
  }
}

/** False for an existing folder that can't be written: part of an image, mounted read-only, or another user's. */
export function isWritable({ directory, incoming }: Layout): boolean {
  try {
    accessSync(directory, constants.W_OK)
    if (!statSync(directory).isDirectory()) return false
    // `incoming` has the lock files of the repos.
    accessSync(incoming, constants.W_OK)
    return true
  } catch (error) {
    return systemCode(error) === 'ENOENT'
  }
}

/**
 * True when `hub` is a link to a folder elsewhere, such as on another disk. Other tools may use that folder too, so only files that
 * this package downloaded may be removed there.
 */
export function isHubLinked({ hub }: Layout): boolean {
  return lstatSync(hub, { throwIfNoEntry: false })?.isSymbolicLink() === true
}

function notACache({ directory }: Layout): ModelCacheError {
  const isFolder = statSync(directory).isDirectory()
  return new ModelCacheError({
    code: isFolder ? 'NOT_A_CACHE' : 'CACHE_UNUSABLE',
    asked: `Cache folder ${directory}`,
    reason: isFolder
      ? 'It holds other files and has no cache.json, so it is no cache of this package.'
      : 'It is a file, not a folder.',
    nextStep: `Set \`cacheDir\`, MODEL_CACHE_DIR or --cache-dir to a folder of its own.${
      isFolder ? ' If it is a cache whose cache.json was lost, create that file with the content {"format":1}.' : ''
    } Nothing was changed.`,
  })
}

/** The error of a cache folder in which a folder other than `hub` is a link: files in the folder that it refers to are not ours. */
function linkedFolder(layout: Layout): ModelCacheError | undefined {
  const { directory, incoming, leases, runs, compile, origins, cold, formerRenames, formerApi } = layout
  const events = join(directory, 'events')
  const linked = [incoming, leases, runs, compile, origins, cold, events, formerRenames, formerApi].find((folder) =>
    lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink(),
  )
  if (linked === undefined) return undefined
  return new ModelCacheError({
    code: 'CACHE_UNUSABLE',
    asked: `Cache folder ${directory}`,
    reason: `${linked} is a link, and the cache would write and delete in the folder that it refers to.`,
    nextStep:
      'Remove the link (only `hub` may be one), or set `cacheDir` or MODEL_CACHE_DIR to another folder. Nothing was changed.',
  })
}

/** The `format` field of a marker file. Undefined when the text is truncated or is another JSON document. */
function formatOf(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null && 'format' in parsed ? parsed.format : undefined
  } catch {
    return undefined
  }
}
