import { lstat, mkdir, mkdtemp } from 'node:fs/promises'
import process from 'node:process'
import { systemCode } from '../../model/errors.ts'
import { removeFolderOfRun } from '../store/remove-own.ts'
import { CacheContext } from './context.ts'
import { temporaryFolder } from './temporary-folder.ts'

/**
 * A cache for one run alone, for when the cache folder can't take what is missing: all processes of the run share it, and
 * it takes over what the cache folder has.
 */
export async function openTemporary(unusable: CacheContext, runId: string, reason: string): Promise<CacheContext> {
  const { options, layout, warn, debug } = unusable
  const { cacheDir, isNew } = await makeFolder(temporaryFolder(options, runId))
  // One process of the run says so: the one that made the folder.
  const tell = isNew ? warn : debug
  tell(`${reason} Until then, each run downloads what is missing into a temporary folder.`)
  const adoptFrom = [layout.hub, ...(options.adoptFrom ?? [])]
  // The warm-up's failures hold here, too. Where its models lie does not.
  const manifest = options.manifest && { models: [], failures: options.manifest.failures }
  return new CacheContext({ ...options, cacheDir, adoptFrom, manifest, whenUnusable: 'error' }, unusable)
}

/** Removes what `openTemporary` made, when the run is over. */
export async function removeTemporary({ options }: CacheContext, runId: string): Promise<void> {
  const folder = temporaryFolder(options, runId)
  if (await isOwn(folder)) removeFolderOfRun(folder)
}

/** The temporary folder is everybody's: a name that somebody else took is left to them. */
async function makeFolder(folder: string): Promise<{ cacheDir: string; isNew: boolean }> {
  try {
    await mkdir(folder, { mode: 0o700 })
    return { cacheDir: folder, isNew: true }
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
  if (await isOwn(folder)) return { cacheDir: folder, isNew: false }
  const cacheDir = await mkdtemp(`${folder}-`)
  // Known to this process alone.
  process.once('exit', () => removeFolderOfRun(cacheDir))
  return { cacheDir, isNew: true }
}

async function isOwn(folder: string): Promise<boolean> {
  const stats = await lstat(folder).catch(() => undefined)
  return stats?.isDirectory() === true && (process.geteuid === undefined || stats.uid === process.geteuid())
}
