import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Manifest } from '../cache/manifest.ts'
import { Layout } from '../cache/store/layout.ts'
import { isEventsName, isRunId } from '../cache/store/own-names.ts'
import { mayRemove, removeEmptyFolder, removeFile } from '../cache/store/remove-own.ts'
import { type ChildEvent, foldEvents } from '../intercept/events-file.ts'
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
export function takeChildEvents(cacheDir: string, runId: string): ChildEvent[] {
  const folder = eventsFolder(cacheDir, runId)
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter((name) => isEventsName(name) && name.endsWith('.jsonl'))
  return files.flatMap((name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    removeFile(new Layout(cacheDir), join(folder, name))
    return foldEvents(text)
  })
}

/** Removes what is there for the children of a run that is over, and what runs left that were killed. */
export function removeEvents(cacheDir: string, runId: string): void {
  const layout = new Layout(cacheDir)
  const all = join(cacheDir, 'events')
  try {
    removeFolder(layout, join(all, runId))
    const names = mayRemove(layout, join(all, runId)) && existsSync(all) ? readdirSync(all).filter(isRunId) : []
    for (const name of names)
      if (originals.now() - lstatSync(join(all, name)).mtimeMs > ABANDONED_AFTER_MS)
        removeFolder(layout, join(all, name))
  } catch {
    // A cache folder that is a file, or that only serves what it has.
  }
}

/** It holds our files alone. With a file of somebody else it stays. */
function removeFolder(layout: Layout, folder: string): void {
  if (!existsSync(folder) || !mayRemove(layout, join(folder, 'file'))) return
  for (const name of readdirSync(folder).filter(isEventsName)) removeFile(layout, join(folder, name))
  removeEmptyFolder(layout, folder)
}
