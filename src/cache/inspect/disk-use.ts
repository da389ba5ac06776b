import { type BigIntStats, lstatSync, statfsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Slices } from '../../platform/slices.ts'
import type { Layout } from '../store/layout.ts'
import { entriesIn } from '../store/list-folder.ts'

/** The disk use of the models. */
export interface DiskUse {
  /** Bytes that the models take on disk. */
  diskBytes: number
  /** Free bytes that the current user may use. Null when the file system does not say. */
  freeBytes: number | null
}

/** The disk use of the models, counted in blocks of the disk. A file with several hard links counts once. */
export async function diskUse(layout: Layout): Promise<DiskUse> {
  const seen = new Set<string>()
  const folders = [layout.hub]
  let diskBytes = 0
  const slices = new Slices()
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of entriesIn(folder)) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) folders.push(path)
      else if (entry.isFile()) diskBytes += newBytes(path, seen)
    }
    if (slices.areOver) await slices.pause()
  }
  return { diskBytes, freeBytes: freeBytes(layout) }
}

/** Free bytes that the current user may use. Null when the file system does not say. */
export function freeBytes({ hub, directory }: Layout): number | null {
  // `hub` may be a link to another disk. It may not exist yet, and neither may the cache folder.
  for (const folder of [hub, ...withParents(directory)])
    try {
      const { bavail, bsize } = statfsSync(folder)
      return bavail * bsize
    } catch {
      // The folder is absent, or the file system does not say.
    }
  return null
}

function withParents(folder: string): string[] {
  const parent = dirname(folder)
  return parent === folder ? [folder] : [folder, ...withParents(parent)]
}

function newBytes(path: string, seen: Set<string>): number {
  const stats = statsOf(path)
  const key = `${stats?.dev} ${stats?.ino}`
  if (!stats || seen.has(key)) return 0
  seen.add(key)
  // Windows states no number of blocks.
  return Number(stats.blocks === undefined || stats.blocks === 0n ? stats.size : stats.blocks * 512n)
}

function statsOf(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true })
  } catch {
    return undefined
  }
}
