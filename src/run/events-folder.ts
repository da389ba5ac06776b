import { existsSync, lstatSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { CacheContext } from '../cache/context/context.ts'
import { isWritable } from '../cache/store/cache-folder.ts'
import type { Layout } from '../cache/store/layout.ts'
import { isEventsName, isRunId } from '../cache/store/own-names.ts'
import { isMarked, mayRemove, removeEmptyFolder, removeFile, removeFolderOfRun } from '../cache/store/remove-own.ts'
import { originals } from '../platform/originals.ts'

// A killed run leaves its folder behind. A later run removes each folder to which no file was added for this time. That can be
// the folder of a live watch session: its child processes then have no manifest, and look for models in the metadata.
const ABANDONED_AFTER_MS = 24 * 3_600_000

/** The folder in which child processes of tests find the manifest and leave their reports. */
export interface EventsFolder {
  folder: string
  /** The layout of the cache that holds the folder; undefined for a temporary folder of this run. */
  layout?: Layout
}

/** Chooses a folder in the cache, or makes a temporary folder if the cache folder is not ours to write to. */
export function chooseEventsFolder({ layout, refusal }: CacheContext, runId: string): EventsFolder {
  if (!refusal && isMarked(layout) && isWritable(layout))
    return { folder: join(layout.directory, 'events', runId), layout }
  return { folder: mkdtempSync(join(tmpdir(), `vitest-model-cache-${runId}-events-`)) }
}

/** Removes the folder after its run. In a cache folder, also removes the folders of killed runs. */
export async function removeEventsFolder({ folder, layout }: EventsFolder): Promise<void> {
  try {
    if (layout) await removeFromCache(layout, folder)
    else removeFolderOfRun(folder)
  } catch {
    // The cache folder became read-only.
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

/** Removes our files, and the folder if it is then empty. */
async function removeFolder(layout: Layout, folder: string): Promise<void> {
  if (!existsSync(folder) || !mayRemove(layout, join(folder, 'file'))) return
  for (const name of readdirSync(folder).filter(isEventsName)) removeFile(layout, join(folder, name))
  await removeEmptyFolder(layout, folder)
}
