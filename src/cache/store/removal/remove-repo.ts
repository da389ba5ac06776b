import { type Dirent, lstatSync, readFileSync, readlinkSync } from 'node:fs'
import { basename, dirname, join, relative, sep } from 'node:path'
import type { Entry } from '../../../model/entry.ts'
import type { RepoId } from '../../../model/repo-id.ts'
import { type Commit, isCommit } from '../../../model/revision.ts'
import { readTree } from '../answers/trees.ts'
import type { Layout, RepoFolders } from '../layout.ts'
import { valid } from '../list-folder.ts'
import { apiFolderOf, Origin } from '../origin.ts'
import { blobOfSkeleton, isApiAnswerName, isBlobName, isTreeName } from '../own-names.ts'
import { type Remover, removeBelow, removeEmptyFolder, removeFiles, removeLink } from '../remove-own.ts'

// Removes the files that huggingface_hub's layout has in a repo's folder. A user's file with another name stays, and so does its folder.

/** Removes the refs of a repo, in `hub/` or among an endpoint's answers, that refer to commits which `isGone` accepts. */
export async function removeRefs(
  layout: Layout,
  refs: RepoFolders,
  repo: RepoId,
  isGone: (commit: Commit) => boolean,
  remove: Remover,
): Promise<void> {
  const folder = join(refs.repo(repo), 'refs')
  const isOwn = (path: string, entry: Dirent) => {
    const commit = entry.isFile() ? valid(() => readFileSync(join(folder, path), 'utf8').trim()) : undefined
    return commit !== undefined && isCommit(commit) && isGone(commit)
  }
  await removeBelow(layout, folder, isOwn, remove)
}

/** Removes the files of a snapshot: files that are recorded or listed, links to blobs of the repo, and empty files. */
export async function removeSnapshot(
  layout: Layout,
  { repo, commit, snapshot, endpoint, files }: Entry,
  remove: Remover,
): Promise<void> {
  const folder = layout.snapshot(repo, snapshot)
  // A link in place of the snapshot's folder: the files that it leads to are not ours.
  if (await removeLink(layout, folder, remove)) return
  const removeThese = (paths: Iterable<string>) => {
    const known = new Set([...paths].map((path) => path.split('/').join(sep)))
    const isOwn = (path: string, entry: Dirent) => {
      if (entry.isFile()) return known.has(path) || isEmpty(join(folder, path))
      return leadsToBlob(layout, repo, join(folder, path), entry)
    }
    return removeBelow(layout, folder, isOwn, remove)
  }
  if (await removeThese(files.keys())) return
  // On a disk without links, other tools put copies there that have no record.
  const tree = await readTree(endpoint === undefined ? layout : new Origin(layout, endpoint), repo, commit)
  if (tree) await removeThese(tree.keys())
}

/** Removes what `hub/` has of a commit besides its snapshot: its listing, and the empty files in `.no_exist` for paths that it lacks. */
export async function removeCommit(layout: Layout, repo: RepoId, commit: Commit, remove: Remover): Promise<void> {
  const tree = layout.tree(repo, commit)
  await removeFiles(layout, dirname(tree), [basename(tree)], remove)
  const absent = join(layout.repo(repo), '.no_exist', commit)
  await removeBelow(layout, absent, (path) => isEmpty(join(absent, path)), remove)
}

/** Removes the rest of a repo that has no snapshots any more. */
export async function removeRepo(layout: Layout, repo: RepoId, remove: Remover): Promise<void> {
  const folder = layout.repo(repo)
  const inFolder = (name: string) => join(folder, name)
  await removeRefs(layout, layout, repo, () => true, remove)
  await removeBelow(layout, inFolder('blobs'), (path) => isBlobName(path) || blobOfSkeleton(path) !== undefined, remove)
  await removeBelow(layout, inFolder('trees'), (path) => isTreeName(path), remove)
  await removeBelow(layout, inFolder('.no_exist'), (path) => isEmpty(join(inFolder('.no_exist'), path)), remove)
  for (const name of ['refs', 'blobs', 'trees', '.no_exist', 'snapshots']) {
    await removeLink(layout, inFolder(name), remove)
    await removeEmptyFolder(layout, inFolder(name))
  }
  await removeEmptyFolder(layout, folder)
}

/** Removes the stored answers of the Hub's API about a repo. `api` is the folder of an endpoint's API answers. */
export async function removeApiAnswers(layout: Layout, api: string, repo: RepoId): Promise<void> {
  await removeBelow(layout, join(api, apiFolderOf(repo)), (path) => isApiAnswerName(path))
}

function isEmpty(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats?.isFile() === true && stats.size === 0
}

function leadsToBlob(layout: Layout, repo: RepoId, path: string, entry: Dirent): boolean {
  // Undefined when the path is no link, or when another tool removed it.
  const link = entry.isSymbolicLink() ? valid(() => readlinkSync(path)) : undefined
  if (link === undefined) return false
  const target = join(dirname(path), link)
  const [folder, name = '', ...more] = relative(layout.repo(repo), target).split(sep)
  return folder === 'blobs' && isBlobName(name) && more.length === 0
}
