import { accessSync, constants, lstatSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ModelCacheError, systemCode } from '../../model/errors.ts'
import type { Layout } from './layout.ts'
import { hasLostItsMark, holdsNothing } from './lost-mark.ts'

/** Of the cache folder, as its mark says it. */
export const FORMAT = 1

/**
 * True when the folder carries our mark. A mark that a loss of power emptied or cut off is none. Deleting commands refuse
 * without it. Throws `CACHE_FORMAT` for a newer format.
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
 * True for a folder that holds something and carries no mark of ours: nothing of it may be changed. False for one of ours that lost
 * its mark: it gets a new one. Throws `CACHE_FORMAT` for a newer format.
 */
export function isForeign(layout: Layout): boolean {
  try {
    return !isOurs(layout) && !holdsNothing(layout) && !hasLostItsMark(layout)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    if (systemCode(error) === 'ENOTDIR') return true
    throw error
  }
}

/** The error of a folder in which nothing may be changed; undefined for ours, and for one that can become ours. Throws nothing. */
export function refusalOf(layout: Layout): ModelCacheError | undefined {
  try {
    return isForeign(layout) ? notACache(layout) : linkedRoom(layout)
  } catch {
    // It is of a newer version, or unreadable: the next step that needs it reports that.
    return undefined
  }
}

/** False for a folder that is there and can't be written: baked into an image, mounted read-only, or another user's. */
export function isWritable({ directory, incoming }: Layout): boolean {
  try {
    accessSync(directory, constants.W_OK)
    if (!statSync(directory).isDirectory()) return false
    // The locks of repos lie there.
    accessSync(incoming, constants.W_OK)
    return true
  } catch (error) {
    return systemCode(error) === 'ENOENT'
  }
}

/** True where the models lie on another disk, in a folder that other tools may use as well: there only what we downloaded is ours. */
export function isHubLinked({ hub }: Layout): boolean {
  return lstatSync(hub, { throwIfNoEntry: false })?.isSymbolicLink() === true
}

function notACache({ directory }: Layout): ModelCacheError {
  const isFolder = statSync(directory).isDirectory()
  return new ModelCacheError({
    code: isFolder ? 'NOT_A_CACHE' : 'CACHE_UNUSABLE',
    asked: `Cache folder ${directory}`,
    reason: isFolder
      ? 'It holds something, and no cache.json that says it is a cache of this package.'
      : 'It is a file, and not a folder.',
    nextStep: `Set \`cacheDir\`, MODEL_CACHE_DIR or --cache-dir to a folder of its own.${
      isFolder ? ' If its cache.json was lost, write {"format":1} into it anew.' : ''
    } Nothing was changed.`,
  })
}

/** Folders in which we write and delete must not be links: what they lead to is another's. */
function linkedRoom(layout: Layout): ModelCacheError | undefined {
  const { directory, incoming, leases, runs, origins, formerRenames, formerApi } = layout
  const events = join(directory, 'events')
  const linked = [incoming, leases, runs, origins, events, formerRenames, formerApi].find((folder) =>
    lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink(),
  )
  if (linked === undefined) return undefined
  return new ModelCacheError({
    code: 'CACHE_UNUSABLE',
    asked: `Cache folder ${directory}`,
    reason: `${linked} is a link, and the cache would write and delete in the folder that it leads to.`,
    nextStep:
      'Remove the link (only `hub` may be one), or set `cacheDir` or MODEL_CACHE_DIR to another folder. Nothing was changed.',
  })
}

/** Undefined for what is no mark: a file of somebody else, or one that is cut off. */
function formatOf(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null && 'format' in parsed ? parsed.format : undefined
  } catch {
    return undefined
  }
}
