import { type Entry, hasPacked, packedContents } from '../model/entry.ts'
import { isSystemError, ModelCacheError } from '../model/errors.ts'
import { modelLabel } from '../model/model.ts'
import { cacheUnusable } from './cache-unusable.ts'
import type { CacheContext } from './context/context.ts'
import type { Progress } from './context/progress.ts'
import { unpackEntry } from './intake/unpack-entry.ts'
import { makeRoomFor } from './upkeep/make-room.ts'
import { freePacks } from './upkeep/packing/tend-packs.ts'

export interface UnpackOptions {
  /** Restores nothing, and returns what would be restored. */
  dryRun?: boolean
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
}

/** A model that was restored. */
export interface UnpackedEntry {
  entry: Entry
  /** Bytes of the restored files. */
  bytes: number
  /** Milliseconds that it took. Null when nothing was restored. */
  restoreMs: number | null
  /** Why it was not restored. */
  error?: ModelCacheError
}

/**
 * Restores the entries that are packed, and frees the bytes that they took in the pack files. If one of them fails, the others are still
 * restored.
 */
export async function unpackEntries(
  context: CacheContext,
  entries: Entry[],
  { dryRun, signal, onProgress }: UnpackOptions = {},
): Promise<UnpackedEntry[]> {
  const unpacked: UnpackedEntry[] = []
  for (const entry of entries.filter(hasPacked)) {
    signal?.throwIfAborted()
    const bytes = [...packedContents(entry).values()].reduce((sum, { size }) => sum + size, 0)
    if (dryRun) {
      unpacked.push({ entry, bytes, restoreMs: null })
      continue
    }
    try {
      await makeRoomFor(context, `Model ${modelLabel(entry)}`, [entry.repo], bytes)
      const done = await unpackEntry(context, entry, { signal, onProgress })
      unpacked.push({ entry, bytes: done?.bytes ?? 0, restoreMs: done?.restoreMs ?? null })
    } catch (error) {
      signal?.throwIfAborted()
      const { repo, revision, pinned: pin } = entry
      const explained = isSystemError(error) ? cacheUnusable({ repo, revision, selection: {}, pin }, error) : error
      if (!(explained instanceof ModelCacheError)) throw error
      unpacked.push({ entry, bytes: 0, restoreMs: null, error: explained })
    }
  }
  if (unpacked.some(({ restoreMs }) => restoreMs !== null)) await freePacks(context)
  return unpacked
}

/** Restores the entries that are packed, and returns all entries as they are then. Throws the first failure. */
export async function onDisk(context: CacheContext, entries: Entry[], signal?: AbortSignal): Promise<Entry[]> {
  if (!entries.some(hasPacked)) return entries
  const [failure] = (await unpackEntries(context, entries, { signal })).flatMap(({ error }) => error ?? [])
  if (failure) throw failure
  const { findEntries } = await import('./find.ts')
  return findEntries(context, entries)
}
