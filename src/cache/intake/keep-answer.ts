import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import type { CacheContext } from '../context/context.ts'
import { writeRef } from '../store/answers/refs.ts'
import { type RepoInfo, writeRepoInfo } from '../store/answers/repo-info.ts'

/** Stores what our endpoint answered about a revision, `ageMs` milliseconds ago. The caller has stored the listing already. */
export async function keepAnswer(
  { origin }: CacheContext,
  answer: { repo: RepoId; revision: string; commit: Commit; info: RepoInfo | undefined; ageMs?: number },
): Promise<void> {
  const { repo, revision, commit, info, ageMs } = answer
  origin.writeEndpoint()
  if (info) writeRepoInfo(origin, repo, commit, info)
  await writeRef(origin, repo, revision, commit, ageMs)
}
