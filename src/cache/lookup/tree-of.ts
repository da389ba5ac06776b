import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import type { Tree } from '../../model/tree.ts'
import type { CacheContext } from '../context/context.ts'
import { findEntry } from './find-entry.ts'
import { importedTree } from './imported-answers.ts'
import { lockedTree } from './locked.ts'
import { storedTree } from './stored-answers.ts'

/**
 * The listing of a commit that the lock file or the endpoint stated, or offline an archive, without the network. Undefined when none is
 * stored.
 */
export async function treeOf(
  context: CacheContext,
  { repo, commit }: { repo: RepoId; commit: Commit },
): Promise<Tree | undefined> {
  const locked = lockedTree(context, { repo, commit })
  if (locked) return locked
  const received = [...context.receivedAnswers.values()].find(
    (answer) => answer.repo === repo && answer.commit === commit,
  )
  if (received) return received.tree
  // The listing of a commit never changes, so each is read once per process.
  const key = `${repo}@${commit}`
  const tree =
    context.trees.get(key) ?? (await storedTree(context, repo, commit)) ?? (await ofArchive(context, { repo, commit }))
  if (tree) context.trees.set(key, tree)
  return tree
}

async function ofArchive(context: CacheContext, { repo, commit }: { repo: RepoId; commit: Commit }) {
  const entry = context.options.offline ? await findEntry(context, { repo, commit, endpoint: undefined }) : undefined
  return entry && importedTree(context, entry)
}
