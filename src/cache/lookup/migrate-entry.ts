import { dirname } from 'node:path'
import type { Entry } from '../../model/entry.ts'
import { Slices } from '../../platform/slices.ts'
import type { CacheContext } from '../context/context.ts'
import { allRefs, writeRef } from '../store/answers/refs.ts'
import { moveRenames } from '../store/answers/renames.ts'
import { writeRepoInfo } from '../store/answers/repo-info.ts'
import { readTree, writeTree } from '../store/answers/trees.ts'
import type { Layout } from '../store/layout.ts'
import { Origin } from '../store/origin.ts'
import { withFreeRepoLock } from '../store/removal/aside.ts'
import { removeEmptyFolder, removeFile } from '../store/remove-own.ts'
import { needsMigration } from './stored-answers.ts'

/**
 * Moves what an earlier version stored in `hub/` about an entry to the folder of the endpoint that its record names: the listing, and
 * the refs to its commit. The listing must not stay in `hub/`, because huggingface_hub (Python) takes it as a sign that the snapshot has
 * all of these files. The caller holds the repo's lock. The `RepoInfo` is written last: when the process is killed before, the
 * migration begins again.
 */
export async function migrateEntry(layout: Layout, entry: Entry): Promise<void> {
  const { repo, commit, endpoint, access, task } = entry
  if (endpoint === undefined) return
  const origin = new Origin(layout, endpoint)
  if (!needsMigration(origin, entry)) return
  origin.writeEndpoint()
  const refs = await allRefs(layout, repo)
  for (const ref of refs.filter((ref) => ref.commit === commit))
    await writeRef(origin, repo, ref.revision, commit, ref.ageMs)
  const tree = await readTree(layout, repo, commit)
  if (tree) writeTree(origin, repo, commit, tree)
  writeRepoInfo(origin, repo, commit, { access, task })
  removeFile(layout, layout.tree(repo, commit))
  await removeEmptyFolder(layout, dirname(layout.tree(repo, commit)))
}

/** Migrates all entries whose repo's lock is free, and the stored renames of repos. */
export async function migrateEntries(context: CacheContext, signal?: AbortSignal): Promise<void> {
  const { layout } = context
  const metadata = await context.metadata()
  const entries = [...(await metadata.all()).values()]
  migrateNames(layout, entries)
  const slices = new Slices()
  for (const entry of entries) {
    if (slices.areOver) await slices.pause()
    signal?.throwIfAborted()
    const { repo, endpoint } = entry
    if (endpoint === undefined || !needsMigration(new Origin(layout, endpoint), entry)) continue
    await withFreeRepoLock(layout, repo, () => migrateEntry(layout, entry))
  }
}

/** Moves the renames if all entries are of one endpoint. Otherwise it is not known which endpoint stated them. */
function migrateNames(layout: Layout, entries: Entry[]): void {
  const [endpoint, ...others] = new Set(entries.map((entry) => entry.endpoint))
  if (endpoint === undefined || others.length > 0) return
  moveRenames(layout.formerRenames, new Origin(layout, endpoint))
}
