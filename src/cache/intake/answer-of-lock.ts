import type { LockedModel } from '../../model/lock-file.ts'
import type { CacheContext } from '../context/context.ts'
import { lockName, refuseOtherListing } from '../lookup/locked.ts'
import type { Known } from '../lookup/resolve-on-disk.ts'
import { storedTree } from '../lookup/stored-answers.ts'
import { readRepoInfo } from '../store/answers/repo-info.ts'

/**
 * The answer of the lock file. The endpoint of the entry is set only if this cache has the endpoint's own word for the commit: then
 * the two are compared. Otherwise it stays unknown until a project without the lock file asks the Hub. Throws `LOCK_MISMATCH`.
 */
export async function answerOfLock(context: CacheContext, locked: LockedModel, { repo, commit, entry }: Known) {
  const stored = await storedTree(context, repo, commit)
  if (stored) refuseOtherListing(context, locked, stored)
  const isStated = stored !== undefined || entry?.endpoint !== undefined
  const access = readRepoInfo(context.origin, repo, commit)?.access ?? knownAccess(entry) ?? locked.access
  return {
    ...{ repo, commit, tree: locked.files, info: { access, task: locked.task } },
    ...{ endpoint: isStated ? locked.endpoint : undefined, lockfile: lockName(context) },
  }
}

function knownAccess(entry: Known['entry']) {
  return entry?.access === 'unknown' ? undefined : entry?.access
}
