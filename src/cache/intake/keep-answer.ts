import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import type { CacheContext } from '../context/context.ts'
import { type About, writeAbout } from '../store/about.ts'
import { writeRef } from '../store/refs.ts'

/** Stores what our endpoint answered about a revision, now or so many milliseconds ago. Its listing is stored by then. */
export async function keepAnswer(
  { origin }: CacheContext,
  answer: { repo: RepoId; revision: string; commit: Commit; about: About | undefined; ageMs?: number },
): Promise<void> {
  const { repo, revision, commit, about, ageMs } = answer
  origin.introduce()
  if (about) writeAbout(origin, repo, commit, about)
  await writeRef(origin, repo, revision, commit, ageMs)
}
