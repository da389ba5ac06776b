import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { CacheContext } from '../cache/context/context.ts'
import type { Manifest } from '../cache/context/manifest.ts'
import { isWritable } from '../cache/store/cache-folder.ts'
import type { Layout } from '../cache/store/layout.ts'
import { isEventsName, isRunId } from '../cache/store/own-names.ts'
import {
  isMarked,
  mayRemove,
  removeEmptyFolder,
  removeFile,
  removeFolderOfRun,
  removeUnique,
} from '../cache/store/remove-own.ts'
import { type ChildEvent, foldEvents } from '../intercept/events-file.ts'
import { originals } from '../platform/originals.ts'

// A run that was killed leaves its folder behind. One that is watched for longer only has its children look further.
const ABANDONED_AFTER_MS = 24 * 3_600_000

/** Where the processes that tests start find the manifest, and leave what they asked for. */
export interface Events {
  folder: string
  /** Of the cache that the folder lies in; undefined for a temporary folder of this run. */
  layout?: Layout
}

/** A folder in the cache, or a temporary one where the cache folder is not ours to write to. */
export function openEvents({ layout, refusal }: CacheContext, runId: string): Events {
  if (!refusal && isMarked(layout) && isWritable(layout))
    return { folder: join(layout.directory, 'events', runId), layout }
  return { folder: mkdtempSync(join(tmpdir(), `vitest-model-cache-${runId}-events-`)) }
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
export function takeChildEvents({ folder, layout }: Events): ChildEvent[] {
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter((name) => isEventsName(name) && name.endsWith('.jsonl'))
  return files.flatMap((name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    if (layout) removeFile(layout, join(folder, name))
    else removeUnique(join(folder, name))
    return foldEvents(text)
  })
}

/** Removes what is there for the children of a run that is over, and what runs left that were killed. */
export async function removeEvents({ folder, layout }: Events): Promise<void> {
  try {
    if (layout) await removeFromCache(layout, folder)
    else removeFolderOfRun(folder)
  } catch {
    // A cache folder that only serves what it has.
  }
}

async function removeFromCache(layout: Layout, folder: string): Promise<void> {
  await removeFolder(layout, folder)
  const all = dirname(folder)
  const names = mayRemove(layout, folder) ? readdirSync(all).filter(isRunId) : []
  for (const name of names)
    if (originals.now() - lstatSync(join(all, name)).mtimeMs > ABANDONED_AFTER_MS)
      await removeFolder(layout, join(all, name))
}

/** It holds our files alone. With a file of somebody else it stays. */
async function removeFolder(layout: Layout, folder: string): Promise<void> {
  if (!existsSync(folder) || !mayRemove(layout, join(folder, 'file'))) return
  for (const name of readdirSync(folder).filter(isEventsName)) removeFile(layout, join(folder, name))
  await removeEmptyFolder(layout, folder)
}
