import { stat } from 'node:fs/promises'
import process from 'node:process'
import type { ModelCache } from '../../cache/model-cache.ts'
import { isOurs, isWritable, refusalOf } from '../../cache/store/cache-folder.ts'
import type { Layout } from '../../cache/store/layout.ts'
import { linkKindOf } from '../../cache/store/links.ts'
import { formatSize } from '../../config/units.ts'
import { ModelCacheError, messageOf } from '../../model/errors.ts'
import { count } from '../../report/words.ts'
import { type Check, fail, ok, warn } from './check.ts'

const LITTLE_BYTES = 500 * 2 ** 20

/** The folder itself; what follows makes sense only where this is no failure. */
export async function checkFolder(layout: Layout, origin: string): Promise<Check> {
  const name = 'cache'
  const where = `${layout.directory} (by ${origin})`
  const other = 'Set MODEL_CACHE_DIR to another folder.'
  try {
    const isCache = isOurs(layout)
    const refusal = refusalOf(layout)
    if (refusal) return fail(name, `${where}: ${refusal.reason}`, refusal.nextStep)
    if (!isCache) return ok(name, `${where}, not made yet`)
    if (!isWritable(layout))
      return warn(name, `${where} can't be written`, `What is missing comes anew in each run. ${other}`)
    return ok(name, `${where}, format 1`)
  } catch (error) {
    if (error instanceof ModelCacheError) return fail(name, error.reason, error.nextStep)
    return fail(name, `${where}: ${messageOf(error)}`, other)
  }
}

export async function checkPermissions({ directory }: Layout): Promise<Check> {
  const name = 'permissions'
  const stats = await stat(directory).catch(() => undefined)
  if (!stats) return ok(name, 'the folder is made for its owner alone')
  if (process.geteuid !== undefined && stats.uid !== process.geteuid())
    return warn(name, 'the folder is another user’s', 'Set MODEL_CACHE_DIR to a folder of your own.')
  if (process.platform !== 'win32' && (stats.mode & 0o022) !== 0)
    return warn(name, 'others may write to the folder', `Run \`chmod go-w ${JSON.stringify(directory)}\`.`)
  return ok(name, `mode ${(stats.mode & 0o777).toString(8)}, yours`)
}

export async function checkLinks(layout: Layout): Promise<Check> {
  const name = 'links'
  try {
    if (!isOurs(layout) || !isWritable(layout)) return ok(name, 'not tried')
    const kind = await linkKindOf(layout)
    if (kind !== 'copy') return ok(name, kind === 'symlink' ? 'symbolic links' : 'hard links')
    return warn(
      name,
      'this disk has neither symbolic nor hard links: each file is there twice',
      'Set MODEL_CACHE_DIR to a folder on another disk.',
    )
  } catch (error) {
    return fail(name, messageOf(error), 'Check that the folder can be written.')
  }
}

export async function checkDisk(cache: ModelCache): Promise<Check> {
  const name = 'disk'
  const { disk, bytes, maxBytes, incoming } = await cache.status()
  if (!disk) return ok(name, 'this file system does not say what is free')
  const { freeBytes } = disk
  const free = `${formatSize(freeBytes)} free; the cache has ${formatSize(bytes)} of ${formatSize(maxBytes)}`
  if (freeBytes < LITTLE_BYTES)
    return fail(name, free, 'Free some space: `npx vitest-model-cache clean --unused`, or another disk.')
  if (freeBytes < maxBytes - bytes)
    return warn(name, free, 'The disk is full before the limit is reached: lower `maxSize`.')
  const left = incoming.left.files
  if (left > 0)
    return warn(
      name,
      `${free}; ${count(left, 'partial download')}`,
      'They are gone on with, or removed by `clean --incomplete`.',
    )
  return ok(name, free)
}
