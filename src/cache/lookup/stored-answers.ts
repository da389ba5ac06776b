import { existsSync } from 'node:fs'
import { type Entry, entryKey } from '../../model/entry.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import { snapshotOf } from '../../model/snapshot.ts'
import type { Tree } from '../../model/tree.ts'
import type { CacheContext } from '../context/context.ts'
import { type Ref, readRef } from '../store/answers/refs.ts'
import { type CurrentId, followRenames } from '../store/answers/renames.ts'
import { readTree } from '../store/answers/trees.ts'
import type { Origin } from '../store/origin.ts'
import { importedRepoId } from './imported-answers.ts'
import { lockedId } from './locked.ts'

// The stored answers of the configured endpoint are in the endpoint's folder. Earlier versions stored the answers of all endpoints
// together. Until those are moved (`migrate-entry.ts`), an answer about a commit is trusted only if the entry of the repo
// at that commit names the endpoint.

/** The current id of the repo that a name refers to: by the stored answers, else by the lock file, else offline by an archive. */
export async function currentRepoId(context: CacheContext, repo: RepoId): Promise<CurrentId> {
  const stored = await storedRepoId(context, repo)
  if (stored.repo !== repo) return stored
  const locked = lockedId(context, repo)
  if (locked !== undefined) return { repo: locked, ageMs: 0 }
  return context.options.offline ? importedRepoId(context, repo) : stored
}

async function storedRepoId(context: CacheContext, repo: RepoId): Promise<CurrentId> {
  const { origin, layout } = context
  const current = followRenames(origin.renames, repo)
  if (current.repo !== repo) return current
  const former = followRenames(layout.formerRenames, repo)
  if (former.repo === repo) return current
  const metadata = await context.metadata()
  const isOnlyOrigin = [...(await metadata.all()).values()].every(({ endpoint }) => endpoint === origin.endpoint)
  return isOnlyOrigin ? former : current
}

/** The stored ref of a revision: the commit that it referred to when the endpoint was last asked. */
export async function storedRef(context: CacheContext, repo: RepoId, revision: string): Promise<Ref | undefined> {
  const ref = await readRef(context.origin, repo, revision)
  if (ref) return ref
  const former = await readRef(context.layout, repo, revision)
  return former && (await isFormer(context, repo, former.commit)) ? former : undefined
}

/** The listing of a commit that the endpoint stated. */
export async function storedTree(context: CacheContext, repo: RepoId, commit: Commit): Promise<Tree | undefined> {
  const tree = await readTree(context.origin, repo, commit)
  if (tree) return tree
  return (await isFormer(context, repo, commit)) ? readTree(context.layout, repo, commit) : undefined
}

async function isFormer(context: CacheContext, repo: RepoId, commit: Commit): Promise<boolean> {
  const metadata = await context.metadata()
  const entry = await metadata.find(entryKey({ repo, snapshot: snapshotOf(commit) }))
  return entry?.endpoint === context.origin.endpoint && needsMigration(context.origin, entry)
}

/** True for an entry of an earlier version whose stored answers were not moved yet. */
export function needsMigration(origin: Origin, { repo, commit, snapshot }: Entry): boolean {
  return snapshot === snapshotOf(commit) && !existsSync(origin.repoInfo(repo, commit))
}
