import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Manifest } from '../cache/manifest.ts'
import type { ChildEvent } from '../intercept/events-file.ts'
import { originals } from '../platform/originals.ts'

// A run that was killed leaves its folder behind. One that is watched for longer only has its children look further.
const ABANDONED_AFTER_MS = 24 * 3_600_000

/** Where the processes that tests start find the manifest, and leave what they asked for. */
export function eventsFolder(cacheDir: string, runId: string): string {
  return join(cacheDir, 'events', runId)
}

/** The file that they read. */
export function manifestFile(folder: string): string {
  return join(folder, 'manifest.json')
}

/** Hands the manifest to them. Where it can't be written they look into the metadata. */
export function shareManifest(folder: string, manifest: Manifest): void {
  if (manifest.models.length === 0) return
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(manifestFile(folder), JSON.stringify(manifest), { mode: 0o600 })
  } catch {
    // A cache that only serves what it has.
  }
}

/** Takes out what they left since the last call. */
export function takeChildEvents(folder: string): ChildEvent[] {
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'))
  return files.flatMap((name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    rmSync(join(folder, name), { force: true })
    return text.split('\n').flatMap(parseEvent)
  })
}

/** Removes what is there for the children of a run that is over, and what runs left that were killed. */
export function removeEvents(folder: string): void {
  try {
    removeFolder(folder)
    const all = dirname(folder)
    for (const name of existsSync(all) ? readdirSync(all) : [])
      if (originals.now() - statSync(join(all, name)).mtimeMs > ABANDONED_AFTER_MS)
        rmSync(join(all, name), { recursive: true, force: true })
  } catch {
    // A cache folder that is a file, or that only serves what it has.
  }
}

/** It holds files, and nothing else, unless somebody put it there: a link goes, and what it leads to stays. */
function removeFolder(folder: string): void {
  const stats = lstatSync(folder, { throwIfNoEntry: false })
  if (!stats) return
  try {
    for (const name of stats.isDirectory() ? readdirSync(folder) : []) unlinkSync(join(folder, name))
    if (stats.isDirectory()) rmdirSync(folder)
    else unlinkSync(folder)
  } catch {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A process that was killed while it wrote leaves half a line. */
function parseEvent(line: string): ChildEvent[] {
  try {
    return line === '' ? [] : [JSON.parse(line)]
  } catch {
    return []
  }
}
