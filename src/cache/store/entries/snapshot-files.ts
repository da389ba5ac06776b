import type { Stats } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Digest, digestOfBlobName } from '../../../model/digest.ts'
import { type HubPath, parseHubPath } from '../../../model/hub-path.ts'
import { parseRepoId, type RepoId } from '../../../model/repo-id.ts'
import type { SnapshotId } from '../../../model/snapshot.ts'
import type { Tree } from '../../../model/tree.ts'
import { Slices } from '../../../platform/slices.ts'
import type { HubFolder } from '../layout.ts'
import { entriesIn, filesBelow, valid } from '../list-folder.ts'

/** A file of a snapshot, with the digest that it must have. */
export interface SnapshotFile {
  digest: Digest
  stats: Stats
}

/**
 * The files of a snapshot, whichever tool wrote them. The digest comes from the name of the blob that a link refers to, or from the
 * listing. Files without a safe name or a known digest are left out.
 */
export async function snapshotFiles(
  folder: HubFolder,
  repo: RepoId,
  snapshot: SnapshotId,
  listing: Tree | undefined,
): Promise<Map<HubPath, SnapshotFile>> {
  const files = new Map<HubPath, SnapshotFile>()
  for (const path of await filesBelow(folder.snapshot(repo, snapshot))) {
    const found = await blobBehind(join(folder.snapshot(repo, snapshot), path))
    const safe = valid(() => parseHubPath(path, repo))
    if (!found || !safe) continue
    const digest = digestOfBlobName(found.name) ?? listing?.get(safe)?.digest
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

function repoOfFolder(name: string): RepoId | undefined {
  const [kind, ...parts] = name.split('--')
  return kind === 'models' ? valid(() => parseRepoId(parts.join('/'))) : undefined
}

async function blobBehind(path: string): Promise<{ name: string; stats: Stats } | undefined> {
  try {
    return { name: basename(await realpath(path)), stats: await stat(path) }
  } catch {
    // The link refers to a blob that is gone.
    return undefined
  }
}
