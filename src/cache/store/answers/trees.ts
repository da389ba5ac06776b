import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isObject } from '../../../model/json.ts'
import type { RepoId } from '../../../model/repo-id.ts'
import { type Commit, isCommit } from '../../../model/revision.ts'
import { addToTree, type Tree } from '../../../model/tree.ts'
import { isAbsent, writeAtomically } from '../atomic-write.ts'
import type { RepoFolders, WritableFolders } from '../layout.ts'
import { entriesIn } from '../list-folder.ts'

// The format of huggingface_hub 1.29, src/huggingface_hub/_tree_cache.py: so listings in the user's Python cache can be adopted.
const FORMAT_VERSION = 1

/** The stored listing of a commit. Undefined when none is stored, or when it is invalid. */
export async function readTree(folder: RepoFolders, repo: RepoId, commit: Commit): Promise<Tree | undefined> {
  let text: string
  try {
    text = readFileSync(folder.tree(repo, commit), 'utf8')
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
  try {
    return parseTree(JSON.parse(text), repo)
  } catch {
    // A damaged listing counts as absent: the Hub is asked again.
    return undefined
  }
}

/** The commits of a repo whose listings are stored. */
export function listedCommits(folder: RepoFolders, repo: RepoId): Commit[] {
  return entriesIn(join(folder.repo(repo), 'trees'))
    .map(({ name }) => name.replace(/\.json$/, ''))
    .filter(isCommit)
}

/** Stores the listing of a commit, in huggingface_hub's format. */
export function writeTree(folder: WritableFolders, repo: RepoId, commit: Commit, tree: Tree): void {
  const files = [...tree]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, { size, digest, gitId, xetHash }]) => {
      const lfs = digest.startsWith('sha256:') ? { lfs_sha256: digest.slice(7), lfs_size: size } : {}
      return [path, { size, blob_id: gitId, ...lfs, ...(xetHash && { xet_hash: xetHash }) }]
    })
  const content = { format_version: FORMAT_VERSION, files: Object.fromEntries(files) }
  writeAtomically(folder.tree(repo, commit), JSON.stringify(content, null, 1), folder.cache.incoming)
}

function parseTree(content: unknown, repo: RepoId): Tree | undefined {
  if (!isObject(content) || content.format_version !== FORMAT_VERSION || !isObject(content.files)) return undefined
  const tree: Tree = new Map()
  for (const [path, file] of Object.entries(content.files)) {
    if (!isObject(file)) return undefined
    const { size, blob_id: gitId, lfs_sha256: sha256, xet_hash: xetHash } = file
    if (typeof size !== 'number' || !isOptionalText(gitId) || !isOptionalText(sha256) || !isOptionalText(xetHash))
      return undefined
    if (!addToTree(tree, { path, size, gitId, sha256, xetHash }, repo)) return undefined
  }
  return tree
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string'
}
