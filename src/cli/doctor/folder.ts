import { accessSync, constants, existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import process from 'node:process'
import type { ModelCache } from '../../cache/model-cache.ts'
import { isOurs, isWritable, refusalOf } from '../../cache/store/cache-folder.ts'
import { linkKindOf } from '../../cache/store/downloads/links.ts'
import type { Layout } from '../../cache/store/layout.ts'
import { formatSize } from '../../config/units.ts'
import { ModelCacheError, messageOf } from '../../model/errors.ts'
import { count } from '../../report/words.ts'
import { type Check, fail, ok, warn } from './check.ts'

const LITTLE_BYTES = 500 * 2 ** 20

/** Checks the folder itself. If it fails, the other checks of the folder mean nothing. */
export async function checkFolder(layout: Layout, origin: string): Promise<Check> {
  const name = 'cache'
  const where = `${layout.directory} (by ${origin})`
  const other = 'Set MODEL_CACHE_DIR to another folder.'
  try {
    const isCache = isOurs(layout)
    const refusal = refusalOf(layout)
    if (refusal) return fail(name, `${where}: ${refusal.reason}`, refusal.nextStep)
    if (!isCache) return checkNewFolder(layout, where)
    if (!isWritable(layout))
      return warn(name, `${where} is read-only`, `Each run downloads what is missing again. ${other}`)
    return ok(name, `${where}, format 1`)
  } catch (error) {
    if (error instanceof ModelCacheError) return fail(name, error.reason, error.nextStep)
    return fail(name, `${where}: ${messageOf(error)}`, other)
  }
}

/** A folder that is absent or empty is fine where it can be created and written. */
function checkNewFolder({ directory }: Layout, where: string): Check {
  const parent = nearestFolder(directory)
  try {
    accessSync(parent, constants.W_OK)
    return ok('cache', `${where}: a new folder, which the first download ${parent === directory ? 'fills' : 'creates'}`)
  } catch (error) {
    const why = parent === directory ? "can't be written" : `can't be created in ${parent}`
    return fail(
      'cache',
      `${where} ${why}: ${messageOf(error)}`,
      'Set MODEL_CACHE_DIR to a folder that you may write to.',
    )
  }
}

/** The folder itself, or the nearest one above it that exists. */
function nearestFolder(folder: string): string {
  return existsSync(folder) || folder === dirname(folder) ? folder : nearestFolder(dirname(folder))
}

export async function checkPermissions({ directory }: Layout): Promise<Check> {
  const name = 'permissions'
  const stats = await stat(directory).catch(() => undefined)
  if (!stats) return ok(name, 'the new folder will be yours alone (mode 700)')
  if (process.geteuid !== undefined && stats.uid !== process.geteuid())
    return warn(name, 'the folder belongs to another user', 'Set MODEL_CACHE_DIR to a folder of your own.')
  if (process.platform !== 'win32' && (stats.mode & 0o022) !== 0)
    return warn(name, 'other users may write to the folder', `Run \`chmod go-w ${JSON.stringify(directory)}\`.`)
  return ok(name, `mode ${(stats.mode & 0o777).toString(8)}, yours`)
}

export async function checkLinks(layout: Layout): Promise<Check> {
  const name = 'links'
  try {
    if (!isOurs(layout)) return ok(name, 'not tried in a new folder')
    if (!isWritable(layout)) return ok(name, 'not tried in a read-only folder')
    const kind = await linkKindOf(layout)
    if (kind !== 'copy') return ok(name, kind === 'symlink' ? 'symbolic links' : 'hard links')
    return warn(
      name,
      'this disk has neither symbolic nor hard links, so each file is stored twice',
      'Set MODEL_CACHE_DIR to a folder on another disk.',
    )
  } catch (error) {
    return fail(name, messageOf(error), 'Check that you may write to the folder.')
  }
}

export async function checkDisk(cache: ModelCache): Promise<Check> {
  const name = 'disk'
  const { disk, bytes, maxBytes, incoming } = await cache.status()
  if (!disk) return ok(name, 'this file system does not say how much is free')
  const { freeBytes } = disk
  const free = `${formatSize(freeBytes)} free; the cache uses ${formatSize(bytes)} of ${formatSize(maxBytes)}`
  if (freeBytes < LITTLE_BYTES)
    return fail(name, free, 'Free some space with `npx vitest-model-cache clean --unused`, or use another disk.')
  if (freeBytes < maxBytes - bytes)
    return warn(name, free, 'Lower `maxSize`: the disk will be full before the cache reaches it.')
  const left = incoming.left.files
  if (left > 0)
    return warn(
      name,
      `${free}; ${count(left, 'unfinished download')}`,
      'The next download of the model continues it. `clean --incomplete` removes it.',
    )
  return ok(name, free)
}
