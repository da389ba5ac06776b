import { type Digest, isDigest } from './digest.ts'
import { type HubPath, parseHubPath } from './hub-path.ts'

/** What the Hub states of one file at a commit. */
export interface TreeFile {
  /** Bytes. */
  size: number
  digest: Digest
  /** The git object id: of the file itself, or of its LFS pointer. */
  gitId: string
  /** Set for files in Xet storage. */
  xetHash?: string
}

/** All files of a repo at one commit. What is not in it does not exist there: a definite negative answer. */
export type Tree = Map<HubPath, TreeFile>

/** The fields of a file as the Hub's `/tree` answers them; nothing of it is trusted yet. */
export interface RawTreeFile {
  path: string
  size: number
  gitId?: string
  sha256?: string
  xetHash?: string
}

/** The file that stands where a file's folder would have to be; no disk can hold both. */
export function fileInPlaceOfFolder(tree: Tree, path: HubPath): HubPath | undefined {
  const parts = path.split('/')
  const folders = parts.slice(1).map((_, index) => parseHubPath(parts.slice(0, index + 1).join('/'), path))
  return folders.find((folder) => tree.has(folder))
}

/** Adds a file after checking it. Throws `UNSAFE_PATH`; false when its digest can't be verified, or is another than was stated before. */
export function addToTree(tree: Tree, raw: RawTreeFile, asked: string): boolean {
  const path = parseHubPath(raw.path, asked)
  const digest = raw.sha256 === undefined ? `sha1:${raw.gitId}` : `sha256:${raw.sha256}`
  if (!isDigest(digest) || !Number.isSafeInteger(raw.size) || raw.size < 0) return false
  const before = tree.get(path)
  if (before && (before.digest !== digest || before.size !== raw.size)) return false
  tree.set(path, { size: raw.size, digest, gitId: raw.gitId ?? '', xetHash: raw.xetHash })
  return true
}
