import { type Entry, type EntryId, entryKey } from '../model/entry.ts'
import type { RepoId } from '../model/repo-id.ts'
import type { Commit } from '../model/revision.ts'
import type { Tree } from '../model/tree.ts'
import type { CacheContext } from './context/context.ts'
import { findModel, type GetOptions, whereUsable } from './get.ts'
import { offlineMiss, treeAt } from './intake/resolve.ts'
import { treeOf } from './lookup/tree-of.ts'
import { readRepoInfo } from './store/answers/repo-info.ts'

/** All files of a repo at one commit, as our endpoint states them. */
export interface Listing extends EntryId, Pick<Entry, 'access' | 'task'> {
  repo: RepoId
  commit: Commit
  files: Tree
}

/**
 * Returns the listing of a repo. The Hub is asked where no listing is stored, or where the stored answers are too old. Downloads no
 * file. Throws as `getModel`.
 */
export async function getListing(
  context: CacheContext,
  of: { repo: RepoId; revision: string },
  options: GetOptions = {},
): Promise<Listing> {
  const model = { ...of, selection: { paths: [] }, pin: false }
  return whereUsable(context, model, options, async (usable, signal) => {
    const { repo, commit, snapshot } = await findModel(usable, model, { ...options, signal, isPart: true })
    const asked = `Model ${of.repo}`
    const files = (await treeOf(usable, { repo, commit })) ?? (await askedTree(usable, { repo, commit, asked, signal }))
    if (!files) throw offlineMiss(model)
    const entry = await (await usable.metadata()).find(entryKey({ repo, snapshot }))
    const { access = 'unknown', task } = entry ?? readRepoInfo(usable.origin, repo, commit) ?? {}
    return { repo, commit, snapshot, access, task, files }
  })
}

async function askedTree(context: CacheContext, asked: Parameters<typeof treeAt>[1]): Promise<Tree | undefined> {
  return context.options.offline ? undefined : treeAt(context, asked)
}
