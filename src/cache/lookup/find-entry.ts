import { type Entry, entryKey } from '../../model/entry.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import { snapshotsOf } from '../../model/snapshot.ts'
import type { CacheContext } from '../context/context.ts'

/** The entry of a repo at a commit that was downloaded from `endpoint`. With `undefined`, the entry whose endpoint is not known. */
export async function findEntry(
  context: CacheContext,
  { repo, commit, endpoint }: { repo: RepoId; commit: Commit; endpoint: string | undefined },
): Promise<Readonly<Entry> | undefined> {
  const metadata = await context.metadata()
  for (const snapshot of snapshotsOf(commit, endpoint)) {
    const entry = await metadata.find(entryKey({ repo, snapshot }))
    if (entry?.commit === commit && entry.endpoint === endpoint) return entry
  }
  return undefined
}
