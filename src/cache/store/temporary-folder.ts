import { lstat, mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { systemCode } from '../../model/errors.ts'
import { createHash } from '../../platform/late-crypto.ts'
import { removeFolderOfRun } from './remove-own.ts'

/** The cache that a temporary folder replaces, and the run that uses it. */
interface Replaced {
  cacheDir: string
  endpoint: string
  runId: string
}

/**
 * The path of the temporary folder. Each pair of cache and endpoint has its own, because projects may ask different Hubs for the same
 * names.
 */
export function temporaryFolder({ cacheDir, endpoint, runId }: Replaced): string {
  const mark = createHash('sha256').update(`${cacheDir}\0${endpoint}`).digest('hex').slice(0, 8)
  return join(tmpdir(), `vitest-model-cache-${runId}-${mark}`)
}

/**
 * Creates the temporary folder, or finds the one that another process of the run created. Every user can write to the system's folder
 * for temporary files. When another user took the name, this process gets a folder with another name.
 */
export async function makeTemporaryFolder(replaced: Replaced): Promise<{ cacheDir: string; isNew: boolean }> {
  const folder = temporaryFolder(replaced)
  try {
    await mkdir(folder, { mode: 0o700 })
    return { cacheDir: folder, isNew: true }
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
  if (await isOwn(folder)) return { cacheDir: folder, isNew: false }
  const cacheDir = await mkdtemp(`${folder}-`)
  // No other process knows the name of this folder, so this process removes it.
  process.once('exit', () => removeFolderOfRun(cacheDir))
  return { cacheDir, isNew: true }
}

/** Removes the temporary folder when the run is over. */
export async function removeTemporaryFolder(replaced: Replaced): Promise<void> {
  const folder = temporaryFolder(replaced)
  if (await isOwn(folder)) removeFolderOfRun(folder)
}

async function isOwn(folder: string): Promise<boolean> {
  const stats = await lstat(folder).catch(() => undefined)
  return stats?.isDirectory() === true && (process.geteuid === undefined || stats.uid === process.geteuid())
}
