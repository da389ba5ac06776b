import { sep } from 'node:path'
import { type Entry, type EntryFile, entryKey } from '../../../model/entry.ts'
import type { HubPath } from '../../../model/hub-path.ts'
import type { RepoId } from '../../../model/repo-id.ts'
import { type Commit, parseCommit } from '../../../model/revision.ts'
import { isSnapshotId, type SnapshotId, snapshotsOf } from '../../../model/snapshot.ts'
import { originals } from '../../../platform/originals.ts'
import { importedOrigins } from '../answers/imported-answers.ts'
import { knownOrigins } from '../answers/known-origins.ts'
import { allRefs } from '../answers/refs.ts'
import { type RepoInfo, readRepoInfo } from '../answers/repo-info.ts'
import { listedCommits, readTree } from '../answers/trees.ts'
import type { Layout, RepoFolders } from '../layout.ts'
import { namesIn } from '../list-folder.ts'
import { Origin } from '../origin.ts'
import { repoFolders, type SnapshotFile, snapshotFiles } from './snapshot-files.ts'

/**
 * Makes entries of the snapshots in `hub/` that have no record: the record was lost, or another tool downloaded the files. The name
 * of each blob states its digest. The stamps are left empty, so that every file is verified before it is served. The dates come from
 * the file system. Files and folders without a valid name are left out.
 *
 * The endpoint of an entry is known only when that endpoint's stored listing states the digests of all its files. When the listings of
 * several endpoints do, the entry is assigned to the `preferred` endpoint.
 */
export async function rebuildEntries(
  layout: Layout,
  preferred: string,
  isRecorded: (key: string) => boolean = () => false,
): Promise<Entry[]> {
  const entries: Entry[] = []
  let origins: Origin[] | undefined
  for await (const repo of repoFolders(layout.hub)) {
    const snapshots = namesIn(`${layout.repo(repo)}${sep}snapshots`).filter(isSnapshotId)
    const unknown = snapshots.filter((snapshot) => !isRecorded(entryKey({ repo, snapshot })))
    if (unknown.length === 0) continue
    origins ??= originsByPreference(layout, preferred)
    for (const snapshot of unknown) {
      const entry = await rebuildEntry(layout, origins, repo, snapshot)
      if (entry) entries.push(entry)
    }
  }
  return entries
}

/** Makes the entry of one snapshot. Undefined when the snapshot has no file whose digest is known. */
export async function rebuildEntry(
  layout: Layout,
  origins: Origin[],
  repo: RepoId,
  snapshot: SnapshotId,
): Promise<Entry | undefined> {
  const { commit, origin, found } = await identify(layout, origins, repo, snapshot)
  if (found.size === 0) return undefined
  const files = new Map<HubPath, EntryFile>()
  let first = originals.now()
  let last = 0
  for (const [path, { digest, stats }] of found) {
    files.set(path, { size: stats.size, digest, downloadMs: null, mtimeMs: 0, ino: '0' })
    first = Math.min(first, stats.mtimeMs)
    last = Math.max(last, stats.mtimeMs, stats.atimeMs, stats.ctimeMs)
  }
  const [cachedDate = '', lastAccessDate = ''] = [first, last].map((ms) => new originals.Date(ms).toISOString())
  const { access = 'unknown', task } = infoOf(layout, origin, repo, commit) ?? {}
  const revision = await revisionOf(origin ?? layout, repo, commit)
  const known = { repo, revision, commit, snapshot, endpoint: origin?.endpoint, access, cachedDate, lastAccessDate }
  return { ...known, ...(task !== undefined && { task }), hits: 0, pinned: false, selections: [], files }
}

/** All known endpoints, with the preferred one first. */
export function originsByPreference(layout: Layout, preferred: string): Origin[] {
  const others = knownOrigins(layout).filter(({ endpoint }) => endpoint !== preferred)
  return [new Origin(layout, preferred), ...others]
}

interface Identified {
  commit: Commit
  /** Undefined when no endpoint's listing states all of the files. */
  origin?: Origin
  found: Map<HubPath, SnapshotFile>
}

async function identify(layout: Layout, origins: Origin[], repo: RepoId, snapshot: SnapshotId): Promise<Identified> {
  for (const origin of origins)
    for (const commit of listedCommits(origin, repo)) {
      if (!snapshotsOf(commit, origin.endpoint).includes(snapshot)) continue
      const tree = await readTree(origin, repo, commit)
      const found = await snapshotFiles(layout, repo, snapshot, tree)
      if ([...found].every(([path, { digest }]) => tree?.get(path)?.digest === digest)) return { commit, origin, found }
    }
  // Another tool wrote the snapshot. Its folder is named by the commit.
  const commit = parseCommit(snapshot, repo)
  return { commit, found: await snapshotFiles(layout, repo, snapshot, await readTree(layout, repo, commit)) }
}

/** What the endpoint stated. Without an endpoint: what an archive stated. */
function infoOf(layout: Layout, origin: Origin | undefined, repo: RepoId, commit: Commit): RepoInfo | undefined {
  const origins = origin ? [origin] : importedOrigins(layout)
  return origins.map((each) => readRepoInfo(each, repo, commit)).find((info) => info !== undefined)
}

/** A revision whose stored ref refers to the commit: `main` if possible, else any other, else the commit itself. */
async function revisionOf(folder: RepoFolders, repo: RepoId, commit: Commit): Promise<string> {
  const revisions = (await allRefs(folder, repo)).filter((ref) => ref.commit === commit).map(({ revision }) => revision)
  return revisions.find((revision) => revision === 'main') ?? revisions[0] ?? commit
}
