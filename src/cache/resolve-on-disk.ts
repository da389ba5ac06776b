import { type Entry, entryKey } from '../model/entry.ts'
import type { Model } from '../model/model.ts'
import type { RepoId } from '../model/repo-id.ts'
import { type Commit, isCommit } from '../model/revision.ts'
import type { CacheContext } from './context.ts'
import { readRef } from './store/refs.ts'
import { readHome } from './store/renames.ts'

/** What is known of a model without the network. */
export interface Known {
  /** The id under which it is kept. */
  repo: RepoId
  commit: Commit
  /** False when the revision was last looked up longer than `maxAge` ago, and may have moved. */
  trusted: boolean
  entry: Entry | undefined
}

export async function resolveOnDisk(context: CacheContext, model: Model): Promise<Known | undefined> {
  const { repo, ageMs } = await readHome(context.layout, model.repo)
  const ref = await readRef(context.layout, repo, model.revision)
  if (!ref) return undefined
  const { offline, maxAge, hub } = context.options
  const metadata = await context.metadata()
  const entry = await metadata.find(entryKey({ repo, commit: ref.commit }))
  // Another Hub's name may mean another repo. A commit stays what it is, whatever becomes of the names.
  const isOfThisHub = entry === undefined || entry.endpoint === hub.endpoint
  const isFresh = isOfThisHub && Math.max(ref.ageMs, ageMs) <= maxAge
  return { repo, commit: ref.commit, trusted: offline || isCommit(model.revision) || isFresh, entry }
}
