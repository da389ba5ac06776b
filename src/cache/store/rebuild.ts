import { join } from 'node:path'
import { type Entry, type EntryFile, entryKey } from '../../model/entry.ts'
import type { HubPath } from '../../model/hub-path.ts'
import type { RepoId } from '../../model/repo-id.ts'
import { type Commit, parseCommit } from '../../model/revision.ts'
import { isSnapshotId, type SnapshotId, snapshotsOf } from '../../model/snapshot.ts'
import { originals } from '../../platform/originals.ts'
import { knownOrigins } from './known-origins.ts'
import type { Layout, RepoFolders } from './layout.ts'
import { entriesIn } from './list-folder.ts'
import { Origin } from './origin.ts'
import { allRefs } from './refs.ts'
import { readRepoInfo } from './repo-info.ts'
import { repoFolders, type SnapshotFile, snapshotFiles } from './snapshot-files.ts'
import { listedCommits, readTree } from './trees.ts'

/**
 * Makes entries of what lies in `hub/` without a record: the record was lost, or another tool put it there. Each blob's
 * name says what it must hash to. Their stamps are left open, so that every file is verified before it is served. Dates
 * are the file system's. What has no valid name is left out.
 *
 * An entry's endpoint is known only where that endpoint's stored listing states the digests of all its files. Where
 * several do, the `preferred` one gets it.
 */
export async function rebuildEntries(
  layout: Layout,
  preferred: string,
  isRecorded: (key: string) => boolean = () => false,
): Promise<Entry[]> {
  const entries: Entry[] = []
  let origins: Origin[] | undefined
  for await (const repo of repoFolders(layout.hub)) {
    const names = entriesIn(join(layout.repo(repo), 'snapshots')).map(({ name }) => name)
    const snapshots = names.filter(isSnapshotId)
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

/** One of them; undefined where nothing that can be verified lies in the snapshot. */
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
  const { access = 'unknown', task } = (origin && readRepoInfo(origin, repo, commit)) ?? {}
  const revision = await revisionOf(origin ?? layout, repo, commit)
  const known = { repo, revision, commit, snapshot, endpoint: origin?.endpoint, access, cachedDate, lastAccessDate }
  return { ...known, ...(task !== undefined && { task }), hits: 0, pinned: false, selections: [], files }
}

/** The preferred one first. */
export function originsByPreference(layout: Layout, preferred: string): Origin[] {
  const others = knownOrigins(layout).filter(({ endpoint }) => endpoint !== preferred)
  return [new Origin(layout, preferred), ...others]
}

interface Identified {
  commit: Commit
  /** Undefined where no endpoint's listing states all of the files. */
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
  // The tool that wrote it named the folder by the commit.
  const commit = parseCommit(snapshot, repo)
  return { commit, found: await snapshotFiles(layout, repo, snapshot, await readTree(layout, repo, commit)) }
}

/** The revision that the commit is by the refs of a folder; the branch that everybody means goes first. */
async function revisionOf(folder: RepoFolders, repo: RepoId, commit: Commit): Promise<string> {
  const revisions = (await allRefs(folder, repo)).filter((ref) => ref.commit === commit).map(({ revision }) => revision)
  return revisions.find((revision) => revision === 'main') ?? revisions[0] ?? commit
}
