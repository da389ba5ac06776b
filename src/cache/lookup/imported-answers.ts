import { existsSync } from 'node:fs'
import type { Entry } from '../../model/entry.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import type { Tree } from '../../model/tree.ts'
import type { CacheContext } from '../context/context.ts'
import { importedOrigins } from '../store/answers/imported-answers.ts'
import { type Ref, readRef } from '../store/answers/refs.ts'
import { type CurrentId, followRenames } from '../store/answers/renames.ts'
import { readTree } from '../store/answers/trees.ts'
import { findEntry } from './find-entry.ts'

// What archives state is used offline, and when the Hub can't be reached.

/**
 * The commit that a revision referred to when the archive's Hub was asked. Undefined while the model has no record: then an older commit
 * may be cached.
 */
export async function importedRef(context: CacheContext, repo: RepoId, revision: string): Promise<Ref | undefined> {
  for (const ref of await importedRefs(context, repo, revision))
    for (const endpoint of [undefined, context.origin.endpoint])
      if (await findEntry(context, { repo, commit: ref.commit, endpoint })) return ref
  return undefined
}

/** The commits that archives state for a revision, cached or not. */
export async function importedRefs(context: CacheContext, repo: RepoId, revision: string): Promise<Ref[]> {
  const refs = await Promise.all(originsOf(context).map((origin) => readRef(origin, repo, revision)))
  return refs.filter((ref) => ref !== undefined)
}

/** True if an archive brought files of the entry. */
export function isImported(context: CacheContext, { repo, commit }: Pick<Entry, 'repo' | 'commit'>): boolean {
  return originsOf(context).some((origin) => existsSync(origin.repoInfo(repo, commit)))
}

/** The listing of the commit that an archive states. Undefined if it does not state each file that the entry has. */
export async function importedTree(
  context: CacheContext,
  { repo, commit, files }: { repo: RepoId; commit: Commit; files: Entry['files'] },
): Promise<Tree | undefined> {
  for (const origin of originsOf(context)) {
    const tree = await readTree(origin, repo, commit)
    if (tree && [...files].every(([path, { digest }]) => tree.get(path)?.digest === digest)) return tree
  }
  return undefined
}

/** The current id of the repo that a name refers to. */
export function importedRepoId(context: CacheContext, repo: RepoId): CurrentId {
  for (const { renames } of originsOf(context)) {
    const current = followRenames(renames, repo)
    if (current.repo !== repo) return current
  }
  return { repo, ageMs: 0 }
}

function originsOf({ layout, origin }: CacheContext) {
  return importedOrigins(layout, origin.endpoint)
}
