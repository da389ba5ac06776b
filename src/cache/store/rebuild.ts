import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Entry, type EntryFile, entryKey } from '../../model/entry.ts'
import type { HubPath } from '../../model/hub-path.ts'
import type { RepoId } from '../../model/repo-id.ts'
import { type Commit, isCommit, parseRevision } from '../../model/revision.ts'
import { originals } from '../../platform/originals.ts'
import type { Layout } from './layout.ts'
import { entriesIn, filesBelow, repoFolders, snapshotFiles, valid } from './snapshot-files.ts'

/**
 * Makes entries of what lies in `hub/` without a record, as that was lost or another tool put it there: each blob's name
 * says what it must hash to. Their stamps are left open, so that every file is verified before it is served. Dates are
 * the file system's. What has no valid name is left out.
 */
export async function rebuildEntries(
  layout: Layout,
  endpoint: string,
  isRecorded: (key: string) => boolean = () => false,
): Promise<Entry[]> {
  const entries: Entry[] = []
  for await (const repo of repoFolders(layout.hub)) {
    const commits = entriesIn(join(layout.repo(repo), 'snapshots'))
      .map(({ name }) => name)
      .filter(isCommit)
    const unknown = commits.filter((commit) => !isRecorded(entryKey({ repo, commit })))
    if (unknown.length === 0) continue
    const revisions = await revisionsOf(join(layout.repo(repo), 'refs'))
    for (const commit of unknown) {
      const entry = await rebuildEntry(layout, repo, commit)
      if (entry) entries.push({ ...entry, endpoint, revision: revisions.get(commit) ?? commit })
    }
  }
  return entries
}

async function rebuildEntry(
  layout: Layout,
  repo: RepoId,
  commit: Commit,
): Promise<Omit<Entry, 'endpoint' | 'revision'> | undefined> {
  const files = new Map<HubPath, EntryFile>()
  let first = originals.now()
  let last = 0
  for (const [path, { digest, stats }] of await snapshotFiles(layout, repo, commit)) {
    files.set(path, { size: stats.size, digest, downloadMs: null, mtimeMs: 0, ino: '0' })
    first = Math.min(first, stats.mtimeMs)
    last = Math.max(last, stats.mtimeMs, stats.atimeMs, stats.ctimeMs)
  }
  if (files.size === 0) return undefined
  const [cachedDate = '', lastAccessDate = ''] = [first, last].map((ms) => new originals.Date(ms).toISOString())
  return { repo, commit, cachedDate, lastAccessDate, files, access: 'unknown', hits: 0, pinned: false, selections: [] }
}

/** The commit's revisions by the refs that stand for them. */
async function revisionsOf(refs: string): Promise<Map<string, string>> {
  const revisions = new Map<string, string>()
  for (const revision of await filesBelow(refs)) {
    if (!valid(() => parseRevision(revision, refs))) continue
    // A link that leads nowhere stands for no commit.
    const commit = (await readFile(join(refs, revision), 'utf8').catch(() => '')).trim()
    // Of several names of a commit the branch that everybody means goes first.
    if (revision === 'main' || !revisions.has(commit)) revisions.set(commit, revision)
  }
  return revisions
}
