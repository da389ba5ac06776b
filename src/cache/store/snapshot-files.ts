import { type Dirent, readdirSync, type Stats } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import { type Digest, digestOfBlobName } from '../../model/digest.ts'
import { type HubPath, parseHubPath } from '../../model/hub-path.ts'
import { parseRepoId, type RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import { Slices } from '../../platform/slices.ts'
import type { HubFolder } from './layout.ts'
import { readTree } from './trees.ts'

/** A file of a snapshot, and what its blob's name says that it must hash to. */
export interface SnapshotFile {
  digest: Digest
  stats: Stats
}

/**
 * What lies in a snapshot, whoever wrote it. What has no safe name, or nothing that says what it must hash to (the name of
 * the blob behind a link, or the commit's listing), is left out.
 */
export async function snapshotFiles(
  folder: HubFolder,
  repo: RepoId,
  commit: Commit,
): Promise<Map<HubPath, SnapshotFile>> {
  const files = new Map<HubPath, SnapshotFile>()
  const tree = await readTree(folder, repo, commit)
  for (const path of await filesBelow(folder.snapshot(repo, commit))) {
    const found = await blobBehind(join(folder.snapshot(repo, commit), path))
    const safe = valid(() => parseHubPath(path, repo))
    if (!found || !safe) continue
    const digest = digestOfBlobName(found.name) ?? tree?.get(safe)?.digest
    if (digest) files.set(safe, { digest, stats: found.stats })
  }
  return files
}

/** The repos that have a folder in a Hugging Face cache. */
export async function* repoFolders(hub: string): AsyncGenerator<RepoId> {
  const slices = new Slices()
  for (const entry of entriesIn(hub)) {
    if (slices.areOver) await slices.pause()
    const repo = entry.isDirectory() ? repoOfFolder(entry.name) : undefined
    if (repo) yield repo
  }
}

/** What lies in a folder, nothing where there is none. At once: each repo has several, and most hold little. */
export function entriesIn(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

function repoOfFolder(name: string): RepoId | undefined {
  const [kind, ...parts] = name.split('--')
  return kind === 'models' ? valid(() => parseRepoId(parts.join('/'))) : undefined
}

/** The paths of all files and links below a folder, with forward slashes. */
export async function filesBelow(folder: string): Promise<string[]> {
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

/** What a parser gives, or undefined where it refuses: one strange name must not lose all the others. */
export function valid<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch {
    return undefined
  }
}
