import { type Entry, entryKey } from '../../model/entry.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import { type SnapshotId, snapshotBeside, snapshotOf } from '../../model/snapshot.ts'
import type { Tree } from '../../model/tree.ts'
import type { CacheContext } from '../context/context.ts'
import { findEntry } from '../lookup/find-entry.ts'
import { originsByPreference, rebuildEntry } from '../store/entries/rebuild.ts'

/** The snapshot folder of a repo at a commit, and its record. */
export interface Place {
  snapshot: SnapshotId
  entry: Readonly<Entry> | undefined
}

/**
 * Chooses the snapshot folder of an entry of this endpoint (`undefined`: of unknown origin). An entry of unknown origin becomes
 * an entry of the endpoint when the listing states all of its files. When the folder belongs to another endpoint's entry, the
 * new entry gets a folder of its own. Called under the repo's lock.
 */
export async function settleSnapshot(
  context: CacheContext,
  { repo, commit, tree, endpoint }: { repo: RepoId; commit: Commit; tree: Tree; endpoint: string | undefined },
): Promise<Place> {
  const own = await findEntry(context, { repo, commit, endpoint })
  if (own) return { snapshot: own.snapshot, entry: own }
  const snapshot = snapshotOf(commit)
  const there = await recordedOrRebuilt(context, repo, snapshot)
  if (!there) return { snapshot, entry: undefined }
  const isStated = [...there.files].every(([path, { digest }]) => tree.get(path)?.digest === digest)
  if (there.commit === commit && (there.endpoint === endpoint || (there.endpoint === undefined && isStated)))
    return { snapshot, entry: there }
  return { snapshot: snapshotBeside(commit, endpoint), entry: undefined }
}

/** Finds the record of a snapshot. Without a record, makes one from the files on disk: another tool wrote them, or a process was killed. */
async function recordedOrRebuilt(
  context: CacheContext,
  repo: RepoId,
  snapshot: SnapshotId,
): Promise<Readonly<Entry> | undefined> {
  const metadata = await context.metadata()
  const recorded = await metadata.find(entryKey({ repo, snapshot }))
  return (
    recorded ??
    rebuildEntry(context.layout, originsByPreference(context.layout, context.origin.endpoint), repo, snapshot)
  )
}

/** Finds an entry of unknown origin, with a record or without. */
export async function findStranger(
  context: CacheContext,
  { repo, commit }: { repo: RepoId; commit: Commit },
): Promise<Readonly<Entry> | undefined> {
  const recorded = await findEntry(context, { repo, commit, endpoint: undefined })
  const found = recorded ?? (await recordedOrRebuilt(context, repo, snapshotOf(commit)))
  return found?.endpoint === undefined ? found : undefined
}
