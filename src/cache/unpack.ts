import { type Entry, hasPacked, isPacked } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import { modelLabel } from '../model/model.ts'
import type { CacheContext } from './context/context.ts'
import type { Progress } from './context/progress.ts'
import { unpackEntry } from './intake/unpack-entry.ts'
import { makeRoomFor } from './upkeep/make-room.ts'
import { freePacks } from './upkeep/tend-packs.ts'

export interface UnpackOptions {
  /** Only returns what would be restored. */
  dryRun?: boolean
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
}

/** A model that was restored. */
export interface UnpackedEntry {
  entry: Entry
  /** Bytes of the restored files. */
  bytes: number
  /** Milliseconds. Null when nothing was done. */
  restoreMs: number | null
  /** Why it was not restored. */
  error?: ModelCacheError
}

/** Restores the packed ones among the entries, and frees what they took in the pack files. A failure does not end the others. */
export async function unpackEntries(
  context: CacheContext,
  entries: Entry[],
  { dryRun, signal, onProgress }: UnpackOptions = {},
): Promise<UnpackedEntry[]> {
  const unpacked: UnpackedEntry[] = []
  for (const entry of entries.filter(hasPacked)) {
    signal?.throwIfAborted()
    const bytes = packedContent(entry)
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
      if (!(error instanceof ModelCacheError)) throw error
      unpacked.push({ entry, bytes: 0, restoreMs: null, error })
    }
  }
  if (unpacked.some(({ restoreMs }) => restoreMs !== null)) await freePacks(context)
  return unpacked
}

/** The entries as they are once all of them are on disk. Throws the first failure. */
export async function onDisk(context: CacheContext, entries: Entry[], signal?: AbortSignal): Promise<Entry[]> {
  if (!entries.some(hasPacked)) return entries
  const [failure] = (await unpackEntries(context, entries, { signal })).flatMap(({ error }) => error ?? [])
  if (failure) throw failure
  const { findEntries } = await import('./find.ts')
  return findEntries(context, entries)
}

/** Bytes of the packed files when they are restored. */
function packedContent({ files }: Entry): number {
  const packed = new Map([...files.values()].filter(isPacked).map(({ digest, size }) => [digest, size]))
  return [...packed.values()].reduce((sum, size) => sum + size, 0)
}
