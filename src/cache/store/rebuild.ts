import type { Dirent, Stats } from 'node:fs'
import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import { digestOfBlobName } from '../../model/digest.ts'
import type { Entry, EntryFile } from '../../model/entry.ts'
import { type HubPath, parseHubPath } from '../../model/hub-path.ts'
import { parseRepoId, type RepoId } from '../../model/repo-id.ts'
import { type Commit, isCommit, parseRevision } from '../../model/revision.ts'
import { originals } from '../../platform/originals.ts'
import type { Layout } from './layout.ts'

/**
 * Makes entries of what lies in `hub/`, where their records were lost: each blob's name says what it must hash to. Their
 * stamps are left open, so that every file is verified before it is served. Dates are the file system's. What has no
 * valid name is left out.
 */
export async function rebuildEntries(layout: Layout, endpoint: string): Promise<Entry[]> {
  const entries: Entry[] = []
  for (const folder of await list(layout.hub)) {
    const repo = repoOfFolder(folder.name)
    if (!folder.isDirectory() || repo === undefined) continue
    const revisions = await revisionsOf(join(layout.repo(repo), 'refs'))
    for (const { name: commit } of await list(join(layout.repo(repo), 'snapshots'))) {
      if (!isCommit(commit)) continue
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
  for (const path of await filesBelow(layout.snapshot(repo, commit))) {
    const found = await blobBehind(join(layout.snapshot(repo, commit), path))
    const digest = found && digestOfBlobName(found.name)
    const safe = valid(() => parseHubPath(path, repo))
    if (!digest || !safe) continue
    files.set(safe, { size: found.stats.size, digest, downloadMs: null, mtimeMs: 0, ino: '0' })
    first = Math.min(first, found.stats.mtimeMs)
    last = Math.max(last, found.stats.mtimeMs, found.stats.atimeMs, found.stats.ctimeMs)
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
    const commit = (await readFile(join(refs, revision), 'utf8')).trim()
    // Of several names of a commit the branch that everybody means goes first.
    if (revision === 'main' || !revisions.has(commit)) revisions.set(commit, revision)
  }
  return revisions
}

/** The paths of all files and links below a folder, with forward slashes. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
}

async function blobBehind(path: string): Promise<{ name: string; stats: Stats } | undefined> {
  try {
    return { name: basename(await realpath(path)), stats: await stat(path) }
  } catch {
    // A link to a blob that is gone.
    return undefined
  }
}

function repoOfFolder(name: string): RepoId | undefined {
  const [kind, ...parts] = name.split('--')
  return kind === 'models' ? valid(() => parseRepoId(parts.join('/'))) : undefined
}

/** What a parser gives, or undefined where it refuses: one strange name must not lose all the others. */
function valid<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch {
    return undefined
  }
}

async function list(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch(() => [])
}
