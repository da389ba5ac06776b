import { lstat, readdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Layout } from './store/layout.ts'

export interface DiskUse {
  /** Bytes that the disk gives for the models. */
  diskBytes: number
  /** Bytes left for whoever runs this; null where the system does not say. */
  freeBytes: number | null
}

/** What models take on disk, counted in its blocks. A file with several names counts once. */
export async function diskUse(layout: Layout): Promise<DiskUse> {
  const seen = new Set<string>()
  let diskBytes = 0
  const walk = async (folder: string): Promise<void> => {
    // What is removed meanwhile takes nothing.
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) await walk(path)
      else if (entry.isFile()) diskBytes += await newBytes(path, seen)
    }
  }
  await walk(layout.hub)
  return { diskBytes, freeBytes: await freeBytes(layout) }
}

/** Bytes left for whoever runs this; null where the system does not say. */
export async function freeBytes({ hub, directory }: Layout): Promise<number | null> {
  // `hub` may be a link to another disk, or not be there yet.
  for (const folder of [hub, directory])
    try {
      const { bavail, bsize } = await statfs(folder)
      return bavail * bsize
    } catch {
      // Not there, or a file system that does not say.
    }
  return null
}

async function newBytes(path: string, seen: Set<string>): Promise<number> {
  const stats = await lstat(path, { bigint: true }).catch(() => undefined)
  const key = `${stats?.dev} ${stats?.ino}`
  if (!stats || seen.has(key)) return 0
  seen.add(key)
  // Windows has no number of blocks.
  return Number(stats.blocks === undefined || stats.blocks === 0n ? stats.size : stats.blocks * 512n)
}
