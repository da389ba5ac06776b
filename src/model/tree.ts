import { type Digest, isDigest } from './digest.ts'
import { type HubPath, parseHubPath } from './hub-path.ts'

/** The Hub's statement about one file at a commit. */
export interface TreeFile {
  /** Bytes. */
  size: number
  digest: Digest
  /** The git object id of the file, or of its LFS pointer. */
  gitId: string
  /** Set for files in Xet storage. */
  xetHash?: string
}

/** A file of which only digest and size in bytes are stated. For a file outside LFS the digest is also the git object id. */
export function statedFile(digest: Digest, size: number): TreeFile {
  return { size, digest, gitId: digest.startsWith('sha1:') ? digest.slice(5) : '' }
}

/** True if both are stated to have the same content. */
export function isSameFile(
  a: Pick<TreeFile, 'digest' | 'size'>,
  b: Pick<TreeFile, 'digest' | 'size'> | undefined,
): boolean {
  return a.digest === b?.digest && a.size === b.size
}

/** All files of a repo at one commit. The list is complete: a path that is not in it does not exist at that commit. */
export type Tree = Map<HubPath, TreeFile>

/** The fields of a file in the Hub's `/tree` response, not checked yet. */
export interface RawTreeFile {
  path: string
  size: number
  gitId?: string
  sha256?: string
  xetHash?: string
}

/** A file whose path is that of a folder which `path` needs, such as `a` for `a/b`. Undefined if the tree has none. */
export function fileInPlaceOfFolder(tree: Tree, path: HubPath): HubPath | undefined {
  const parts = path.split('/')
  const folders = parts.slice(1).map((_, index) => parseHubPath(parts.slice(0, index + 1).join('/'), path))
  return folders.find((folder) => tree.has(folder))
}

/**
 * Checks a file and adds it to the tree. False when it has no usable digest or size, or when the tree has the same path with
 * another digest or size. Throws `UNSAFE_PATH`.
 */
export function addToTree(tree: Tree, raw: RawTreeFile, asked: string): boolean {
  const path = parseHubPath(raw.path, asked)
  const digest = raw.sha256 === undefined ? `sha1:${raw.gitId}` : `sha256:${raw.sha256}`
  if (!isDigest(digest) || !Number.isSafeInteger(raw.size) || raw.size < 0) return false
  const before = tree.get(path)
  if (before && !isSameFile({ digest, size: raw.size }, before)) return false
  tree.set(path, { size: raw.size, digest, gitId: raw.gitId ?? '', xetHash: raw.xetHash })
  return true
}
