import { type Model, modelLabel } from '../model/model.ts'
import type { RepoId } from '../model/repo-id.ts'
import type { Commit } from '../model/revision.ts'
import type { Tree } from '../model/tree.ts'
import type { CacheContext } from './context.ts'
import type { HubFolder } from './store/layout.ts'
import { readRef, writeRef } from './store/refs.ts'
import { snapshotFiles } from './store/snapshot-files.ts'
import { readTree } from './store/trees.ts'

/**
 * What another Hugging Face cache knows of a revision, for when the Hub can't be asked: its commit, and the files that
 * were listed or downloaded. Undefined when no cache knows it.
 */
export async function adoptRevision(
  context: CacheContext,
  model: Model,
): Promise<{ commit: Commit; tree: Tree; isPartial: boolean } | undefined> {
  for (const folder of await context.otherCaches()) {
    const ref = await readRef(folder, model.repo, model.revision)
    if (!ref) continue
    const listed = await readTree(folder, model.repo, ref.commit)
    const tree = listed ?? (await treeOfSnapshot(folder, model.repo, ref.commit))
    if (tree.size === 0) continue
    context.debug(`Adopted ${modelLabel(model)} at ${ref.commit.slice(0, 7)} from ${folder.hub}`)
    await writeRef(context.layout, model.repo, model.revision, ref.commit, ref.ageMs)
    return { commit: ref.commit, tree, isPartial: listed === undefined }
  }
  return undefined
}

/** The files that somebody downloaded: perhaps not all that the repo has. */
async function treeOfSnapshot(folder: HubFolder, repo: RepoId, commit: Commit): Promise<Tree> {
  const files = await snapshotFiles(folder, repo, commit)
  return new Map([...files].map(([path, { digest, stats }]) => [path, { size: stats.size, digest, gitId: '' }]))
}
