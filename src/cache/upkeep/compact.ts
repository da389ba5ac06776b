import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Entry, entryKey, hasPacked } from '../../model/entry.ts'
import { originals } from '../../platform/originals.ts'
import type { CacheContext } from '../context/context.ts'
import { importedOrigins } from '../store/answers/imported-answers.ts'
import { knownOrigins } from '../store/answers/known-origins.ts'
import { stampOf } from '../store/blobs.ts'
import { type Amount, addTo } from '../store/downloads/leftovers.ts'
import { apiFolderOf } from '../store/origin.ts'
import { isApiAnswerName } from '../store/own-names.ts'
import { mayRemove, removeFile } from '../store/remove-own.ts'
import { type Held, holdFree } from './hold-repos.ts'

interface CompactOptions {
  dryRun?: boolean
  signal?: AbortSignal
}

/**
 * Removes records that can't be read or whose snapshot folder is gone. Also removes stored API answers of repos that are not
 * cached, when they are older than `maxAge`.
 */
export async function compact(context: CacheContext, { dryRun, signal }: CompactOptions): Promise<Amount> {
  const { layout } = context
  const metadata = await context.metadata()
  const dropped = { files: 0, bytes: 0 }
  const before = stampOf(layout.metadata)?.size ?? 0
  const entries = [...(await metadata.all()).values()]
  const gone = entries.filter((entry) => !hasSnapshot(context, entry))
  dropped.files += gone.length
  signal?.throwIfAborted()
  if (!dryRun) await holdFree(context, gone, (held) => dropRecords(context, held))
  if (!dryRun) {
    // An update writes only records that could be read, and records of a newer version.
    await metadata.update(() => undefined)
    dropped.bytes += Math.max(0, before - (stampOf(layout.metadata)?.size ?? 0))
  }
  const wanted = new Set(entries.map(({ repo }) => apiFolderOf(repo)))
  const origins = [...knownOrigins(layout), ...importedOrigins(layout)]
  const folders = [layout.formerApi, ...origins.map(({ api }) => api)]
  for (const folder of folders) await dropAnswers(context, folder, wanted, dropped, dryRun)
  return dropped
}

/** A packed entry has no snapshot. */
function hasSnapshot({ layout }: CacheContext, entry: Entry): boolean {
  return hasPacked(entry) || stampOf(layout.snapshot(entry.repo, entry.snapshot)) !== undefined
}

/** Looks again under the locks of the repos, because another process may have downloaded the models meanwhile. */
async function dropRecords(context: CacheContext, held: Held[]): Promise<void> {
  const metadata = await context.metadata()
  await metadata.update((all) => {
    for (const { entries } of held.filter(({ hold }) => hold.isOurs()))
      for (const entry of entries) if (!hasSnapshot(context, entry)) all.delete(entryKey(entry))
  })
}

async function dropAnswers(
  { layout, options }: CacheContext,
  api: string,
  wanted: ReadonlySet<string>,
  dropped: Amount,
  dryRun: boolean | undefined,
): Promise<void> {
  for (const name of await readdir(api).catch(() => [])) {
    const folder = join(api, name)
    if (wanted.has(name) || !mayRemove(layout, join(folder, 'file'))) continue
    for (const file of (await readdir(folder).catch(() => [])).filter(isApiAnswerName)) {
      const path = join(folder, file)
      const { size, mtimeMs } = await lstat(path).catch(() => ({ size: 0, mtimeMs: originals.now() }))
      if (originals.now() - mtimeMs <= options.maxAge) continue
      addTo(dropped, size)
      if (!dryRun) removeFile(layout, path)
    }
  }
}
