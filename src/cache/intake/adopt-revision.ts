import { dirname } from 'node:path'
import { type Model, modelLabel } from '../../model/model.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import { snapshotOf } from '../../model/snapshot.ts'
import type { Tree } from '../../model/tree.ts'
import type { CacheContext } from '../context/context.ts'
import { readRef } from '../store/answers/refs.ts'
import { type RepoInfo, readRepoInfo } from '../store/answers/repo-info.ts'
import { readTree } from '../store/answers/trees.ts'
import { snapshotFiles } from '../store/entries/snapshot-files.ts'
import { type HubFolder, Layout } from '../store/layout.ts'
import { Origin } from '../store/origin.ts'

/** A revision as another cache has it. */
export interface Adopted {
  commit: Commit
  tree: Tree
  /** True when the repo may have more files than `tree`. */
  isPartial: boolean
  /** Milliseconds since a Hub was asked. */
  ageMs: number
  /** Our endpoint, if the other cache has stored answers of it. Undefined when it is not known which Hub stated the digests. */
  endpoint: string | undefined
  info?: RepoInfo
}

/**
 * Finds a revision in another Hugging Face cache, for when the Hub can't be asked: its commit, and the files that were listed
 * or downloaded. Undefined when no cache has it.
 */
export async function adoptRevision(context: CacheContext, model: Model): Promise<Adopted | undefined> {
  for (const folder of await context.otherCaches()) {
    const adopted = (await ownAnswersIn(context, folder, model)) ?? (await answersIn(folder, model))
    if (!adopted || adopted.tree.size === 0) continue
    context.debug(`Adopted ${modelLabel(model)} at ${adopted.commit.slice(0, 7)} from ${folder.hub}`)
    return adopted
  }
  return undefined
}

/** Reads the stored answers of our endpoint, when the folder is the `hub` folder of a cache of this package. */
async function ownAnswersIn(
  { origin }: CacheContext,
  { hub }: HubFolder,
  { repo, revision }: Model,
): Promise<Adopted | undefined> {
  const { endpoint } = origin
  const there = new Origin(new Layout(dirname(hub)), endpoint)
  const ref = await readRef(there, repo, revision)
  const tree = ref && (await readTree(there, repo, ref.commit))
  return tree && { ...ref, tree, isPartial: false, endpoint, info: readRepoInfo(there, repo, ref.commit) }
}

/** Reads the ref and the listing that huggingface_hub or another tool wrote. */
async function answersIn(folder: HubFolder, { repo, revision }: Model): Promise<Adopted | undefined> {
  const ref = await readRef(folder, repo, revision)
  if (!ref) return undefined
  const listed = await readTree(folder, repo, ref.commit)
  const tree = listed ?? (await treeOfSnapshot(folder, repo, ref.commit))
  return { ...ref, tree, isPartial: listed === undefined, endpoint: undefined }
}

/** The files in the snapshot folder. The repo may have more. */
async function treeOfSnapshot(folder: HubFolder, repo: RepoId, commit: Commit): Promise<Tree> {
  const files = await snapshotFiles(folder, repo, snapshotOf(commit), undefined)
  return new Map([...files].map(([path, { digest, stats }]) => [path, { size: stats.size, digest, gitId: '' }]))
}
