import { bytesContent, type Content, gitBlobDigest, sha256Digest } from './content.ts'
import type { CommitInfo } from './repository.ts'

/** A file at one commit, with its git and LFS object ids. */
export interface RepoEntry {
  path: string
  content: Content
  /** The git object id of the file, or of its pointer if it is stored with LFS. */
  oid: string
  lfs?: { oid: string; size: number; pointerSize: number }
  lastCommit: CommitInfo
}

export function storeEntry(
  path: string,
  content: Content,
  lfsThreshold = defaultLfsThreshold,
): Omit<RepoEntry, 'lastCommit'> {
  if (content.size <= lfsThreshold && !weights.test(path)) return { path, content, oid: gitBlobDigest(content) }
  const lfs = { oid: sha256Digest(content), size: content.size }
  const pointer = pointerOf(lfs)
  return { path, content, oid: gitBlobDigest(pointer), lfs: { ...lfs, pointerSize: pointer.size } }
}

/** The pointer file that git stores for an LFS file: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md */
export function pointerOf({ oid, size }: { oid: string; size: number }): Content {
  return bytesContent(Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${size}\n`))
}

// Far below the 10 MB of the real Hub, so that small fixtures are served by the CDN too.
const defaultLfsThreshold = 10_000

const weights = /\.(onnx|onnx_data[^/]*|bin|safetensors|gguf)$/
