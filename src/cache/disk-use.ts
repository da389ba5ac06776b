import { type BigIntStats, type Dirent, lstatSync, readdirSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { originals, sleep } from '../platform/originals.ts'
import type { Layout } from './store/layout.ts'

export interface DiskUse {
  /** Bytes that the disk gives for the models. */
  diskBytes: number
  /** Bytes left for whoever runs this; null where the system does not say. */
  freeBytes: number | null
}

// What else the process does waits no longer than this.
const SLICE_MS = 10

/** What models take on disk, counted in its blocks. A file with several names counts once. */
export async function diskUse(layout: Layout): Promise<DiskUse> {
  const seen = new Set<string>()
  const folders = [layout.hub]
  let diskBytes = 0
  let since = originals.monotonic()
  // Synchronous, in slices: of a thousand models, most of the time would go into handing each call to a thread.
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of entriesOf(folder)) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) folders.push(path)
      else if (entry.isFile()) diskBytes += newBytes(path, seen)
    }
    if (originals.monotonic() - since < SLICE_MS) continue
    await sleep(0)
    since = originals.monotonic()
  }
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

/** What is removed meanwhile holds nothing. */
function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

function newBytes(path: string, seen: Set<string>): number {
  const stats = statsOf(path)
  const key = `${stats?.dev} ${stats?.ino}`
  if (!stats || seen.has(key)) return 0
  seen.add(key)
  // Windows has no number of blocks.
  return Number(stats.blocks === undefined || stats.blocks === 0n ? stats.size : stats.blocks * 512n)
}

function statsOf(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true })
  } catch {
    return undefined
  }
}
