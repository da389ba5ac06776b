import type { Entry } from '../model/entry.ts'
import type { CacheContext } from './context.ts'
import { isUnmoved } from './origin-words.ts'
import { writeAbout } from './store/about.ts'
import { withFreeRepoLock } from './store/aside.ts'
import type { Layout } from './store/layout.ts'
import { Origin } from './store/origin.ts'
import { allRefs, writeRef } from './store/refs.ts'
import { removeFile } from './store/remove-own.ts'
import { readTree, writeTree } from './store/trees.ts'

/**
 * Moves what an earlier version stored of an entry in `hub/` to the folder of the endpoint that its record names: the
 * listing, and the revisions that are its commit. The listing must not stay: to huggingface_hub (Python) it means that the
 * snapshot has all of these files. Called under the repo's lock. `about` is written last: a kill before it begins anew.
 */
export async function migrateEntry(layout: Layout, entry: Entry): Promise<void> {
  const { repo, commit, endpoint, access, task } = entry
  if (endpoint === undefined) return
  const origin = new Origin(layout, endpoint)
  if (!isUnmoved(origin, entry)) return
  origin.introduce()
  const refs = await allRefs(layout, repo)
  for (const ref of refs.filter((ref) => ref.commit === commit))
    await writeRef(origin, repo, ref.revision, commit, ref.ageMs)
  const tree = await readTree(layout, repo, commit)
  if (tree) writeTree(origin, repo, commit, tree)
  writeAbout(origin, repo, commit, { access, task })
  removeFile(layout, layout.tree(repo, commit))
}

/** Does this for all entries of repos that nobody works on. */
export async function migrateEntries(context: CacheContext): Promise<void> {
  const { layout } = context
  const metadata = await context.metadata()
  for (const entry of (await metadata.all()).values()) {
    const { repo, endpoint } = entry
    if (endpoint === undefined || !isUnmoved(new Origin(layout, endpoint), entry)) continue
    await withFreeRepoLock(layout, repo, () => migrateEntry(layout, entry))
  }
}
