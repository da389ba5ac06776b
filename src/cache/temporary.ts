import { createHash } from 'node:crypto'
import { lstat, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemCode } from '../model/errors.ts'
import { CacheContext, type CacheOptions } from './context.ts'

/**
 * A cache for one run alone, for when the cache folder can't take what is missing: all processes of the run share it, and
 * it takes over what the cache folder has.
 */
export async function openTemporary({ options, layout }: CacheContext, runId: string): Promise<CacheContext> {
  const cacheDir = await makeFolder(folderOf(options, runId))
  const adoptFrom = [layout.hub, ...(options.adoptFrom ?? [])]
  return new CacheContext({ ...options, cacheDir, adoptFrom, manifest: undefined, whenUnusable: 'error' })
}

/** Removes what `openTemporary` made, when the run is over. */
export async function removeTemporary({ options }: CacheContext, runId: string): Promise<void> {
  const folder = folderOf(options, runId)
  if (await isOurs(folder)) await rm(folder, { recursive: true, force: true })
}

/** One for each cache of the run: projects may ask different Hubs for the same names. */
function folderOf({ cacheDir, hub }: CacheOptions, runId: string): string {
  const mark = createHash('sha256').update(`${cacheDir}\0${hub.endpoint}`).digest('hex').slice(0, 8)
  return join(tmpdir(), `vitest-model-cache-${runId}-${mark}`)
}

/** The temporary folder is everybody's: a name that somebody else took is left to them. */
async function makeFolder(folder: string): Promise<string> {
  try {
    await mkdir(folder, { mode: 0o700 })
    return folder
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
  return (await isOurs(folder)) ? folder : mkdtemp(`${folder}-`)
}

async function isOurs(folder: string): Promise<boolean> {
  const stats = await lstat(folder).catch(() => undefined)
  return stats?.isDirectory() === true && (process.geteuid === undefined || stats.uid === process.geteuid())
}
