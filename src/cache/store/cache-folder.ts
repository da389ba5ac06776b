import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs'
import { ModelCacheError, systemCode } from '../../model/errors.ts'
import type { Layout } from './layout.ts'

/** Of the cache folder, as its mark says it. */
export const FORMAT = 1

/** True when the folder carries our mark. Deleting commands refuse without it. Throws `CACHE_FORMAT` for a newer format. */
export function isOurs(layout: Layout): boolean {
  let text: string
  try {
    text = readFileSync(layout.marker, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    throw error
  }
  if (formatOf(text) === FORMAT) return true
  throw new ModelCacheError({
    code: 'CACHE_FORMAT',
    asked: `Cache folder ${layout.directory}`,
    reason: `Its cache.json says ${JSON.stringify(text.trim().slice(0, 80))}; this version reads format ${FORMAT}.`,
    nextStep: 'Update vitest-model-cache, or set MODEL_CACHE_DIR to another folder. Nothing was changed.',
  })
}

// What is there when a kill comes while the folder is made.
const BEGUN = /^(CACHEDIR\.TAG|cache_metadata\.json(\.lock)?|incoming)(\..*\.tmp)?$/

/**
 * True for a folder that holds something and carries no mark of ours: nothing of it may be changed. Throws `CACHE_FORMAT`
 * for a newer format.
 */
export function isForeign(layout: Layout): boolean {
  try {
    const names = readdirSync(layout.directory)
    return names.some((name) => !BEGUN.test(name)) && !isOurs(layout)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    if (systemCode(error) === 'ENOTDIR') return true
    throw error
  }
}

/** False for a folder that is there and can't be written: baked into an image, or another user's. */
export function isWritable(layout: Layout): boolean {
  try {
    accessSync(layout.directory, constants.W_OK)
    return statSync(layout.directory).isDirectory()
  } catch (error) {
    return systemCode(error) === 'ENOENT'
  }
}

function formatOf(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null && 'format' in parsed ? parsed.format : undefined
  } catch {
    // Not JSON: not a format that we know, and the caller says so.
    return undefined
  }
}
