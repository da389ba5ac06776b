import { type Entry, type EntryId, entryKey, hasPacked } from '../../model/entry.ts'
import type { CacheContext } from '../context/context.ts'
import type { Progress } from '../context/progress.ts'
import { withRepoLock } from '../store/removal/aside.ts'
import { Intake } from './intake.ts'
import { recordEntry } from './record-entry.ts'
import { writeHubRef } from './write-hub-ref.ts'

/** What it took to restore an entry. */
export interface Unpacked {
  /** Bytes of the restored files. */
  bytes: number
  /** Milliseconds. */
  restoreMs: number
}

/**
 * Restores all packed files of an entry, without any request. Undefined when it is not packed. Throws `DIGEST_MISMATCH` when a packed file is
 * damaged, and `CACHE_UNUSABLE`.
 */
export async function unpackEntry(
  context: CacheContext,
  { repo, snapshot }: EntryId,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (progress: Progress) => void } = {},
): Promise<Unpacked | undefined> {
  const metadata = await context.metadata()
  const isToDo = async () => {
    const entry = await metadata.find(entryKey({ repo, snapshot }))
    return entry && hasPacked(entry) ? entry : undefined
  }
  if (!(await isToDo())) return undefined
  const work = async (): Promise<Unpacked | undefined> => {
    const entry = await isToDo()
    if (!entry) return undefined
    const model = { repo, revision: entry.revision, selection: {}, pin: entry.pinned }
    const { commit, endpoint, files } = entry
    const tree = new Map([...files].map(([path, { size, digest }]) => [path, { size, digest, gitId: '' }]))
    const resolved = { ...{ repo, commit, tree, endpoint, info: entry, snapshot, entry }, isPartial: true }
    const hub = { endpoint: context.options.hub.endpoint, fetch: await context.fetch() }
    const intake = new Intake(context, model, resolved, hub, { signal, onProgress, onlyHere: true })
    // Also the files that stayed on disk: packing removed the snapshot.
    await intake.ensure([...files.keys()])
    await writeHubRef(context, { ...resolved, revision: entry.revision })
    await recordEntry(context, asBefore(intake.record([]), entry), await intake.synced())
    return { bytes: intake.unpackedBytes, restoreMs: intake.restoreMs ?? 0 }
  }
  return withRepoLock(context.layout, repo, work, signal)
}

/** Restoring is not a use, so the date of the last use stays. */
function asBefore(now: Entry, { lastAccessDate }: Readonly<Entry>): Entry {
  return { ...now, lastAccessDate }
}
