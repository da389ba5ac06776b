import { mkdir } from 'node:fs/promises'
import { entryKey } from '../../model/entry.ts'
import type { RepoId } from '../../model/repo-id.ts'
import { type Commit, isCommit } from '../../model/revision.ts'
import { type SnapshotId, snapshotOf } from '../../model/snapshot.ts'
import type { CacheContext } from '../context/context.ts'
import { readRef, writeRef } from '../store/answers/refs.ts'

/**
 * Writes the ref of a revision into `hub/`, for other tools. `hub/` has one ref for all endpoints: a ref to the entry of
 * another endpoint stays. The snapshot folder of the commit is made first, because scanCacheDir of @huggingface/hub refuses a
 * repo that has a ref to a missing snapshot.
 */
export async function writeHubRef(
  context: CacheContext,
  {
    repo,
    revision,
    commit,
    snapshot,
    endpoint,
    ageMs,
  }: {
    repo: RepoId
    revision: string
    commit: Commit
    snapshot: SnapshotId
    endpoint: string | undefined
    ageMs?: number
  },
): Promise<void> {
  const { layout } = context
  await mkdir(layout.snapshot(repo, snapshot), { recursive: true, mode: 0o700 })
  if (snapshot !== snapshotOf(commit) || isCommit(revision)) return
  const current = await readRef(layout, repo, revision)
  const metadata = await context.metadata()
  const owner = current && (await metadata.find(entryKey({ repo, snapshot: snapshotOf(current.commit) })))
  if (owner?.endpoint !== undefined && owner.endpoint !== endpoint) return
  await writeRef(layout, repo, revision, commit, ageMs)
}
