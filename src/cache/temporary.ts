import { lstat, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemCode } from '../model/errors.ts'
import { CacheContext } from './context.ts'

/**
 * A cache for one run alone, for when the cache folder can't take what is missing: all processes of the run share it, and
 * it takes over what the cache folder has.
 */
export async function openTemporary({ options, layout }: CacheContext, runId: string): Promise<CacheContext> {
  const cacheDir = await makeFolder(folderOf(runId))
  const adoptFrom = [layout.hub, ...(options.adoptFrom ?? [])]
  return new CacheContext({ ...options, cacheDir, adoptFrom, manifest: undefined, whenUnusable: 'error' })
}

/** Removes what `openTemporary` made, when the run is over. */
export async function removeTemporary(runId: string): Promise<void> {
  await rm(folderOf(runId), { recursive: true, force: true })
}

function folderOf(runId: string): string {
  return join(tmpdir(), `vitest-model-cache-${runId}`)
}

/** The temporary folder is everybody's: a name that somebody else took is left to them. */
async function makeFolder(folder: string): Promise<string> {
  try {
    await mkdir(folder, { mode: 0o700 })
    return folder
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
  const stats = await lstat(folder)
  const isOurs = stats.isDirectory() && (process.geteuid === undefined || stats.uid === process.geteuid())
  return isOurs ? folder : mkdtemp(`${folder}-`)
}
