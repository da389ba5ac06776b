import { createReadStream } from 'node:fs'
import { lstat, mkdir, readlink, rename, rm, stat, symlink } from 'node:fs/promises'
import { dirname, relative } from 'node:path'
import { type Digest, Hasher } from '../../model/digest.ts'
import { systemCode } from '../../model/errors.ts'
import type { HubPath } from '../../model/hub-path.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import { uniqueBeside } from './atomic-write.ts'
import type { Layout } from './layout.ts'

/** What a file system says of a file, enough to see that it is still the one that was verified. */
export interface FileStamp {
  /** Bytes. */
  size: number
  mtimeMs: number
  /** As text: inode numbers may exceed what a JSON number holds. */
  ino: string
}

/** The stamp of the file behind the path, links followed, or undefined when there is none. */
export async function stampOf(path: string): Promise<FileStamp | undefined> {
  try {
    const { size, mtimeNs, ino } = await stat(path, { bigint: true })
    return { size: Number(size), mtimeMs: Number(mtimeNs / 1000n) / 1000, ino: ino.toString() }
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined
    throw error
  }
}

/** True when the bytes at `path` have the size and the digest that the Hub stated. Reads the whole file. */
export async function matchesDigest(path: string, digest: Digest, size: number): Promise<boolean> {
  if ((await stampOf(path))?.size !== size) return false
  const hasher = new Hasher(digest, size)
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hasher.update(chunk)
  return hasher.digest() === digest
}

/**
 * Makes a blob visible as a file of a snapshot, by a relative symbolic link as huggingface_hub does. All files of a
 * snapshot are linked in this one way: ONNX Runtime refuses external data that lies outside the model's folder when
 * links are mixed.
 */
export async function linkIntoSnapshot(
  layout: Layout,
  file: { repo: RepoId; commit: Commit; path: HubPath; digest: Digest },
): Promise<void> {
  const from = layout.file(file.repo, file.commit, file.path)
  const target = relative(dirname(from), layout.blob(file.repo, file.digest))
  if ((await currentTarget(from)) === target) return
  await mkdir(dirname(from), { recursive: true, mode: 0o700 })
  const temporary = uniqueBeside(from, 'tmp')
  await symlink(target, temporary)
  try {
    await rename(temporary, from)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function currentTarget(path: string): Promise<string | undefined> {
  try {
    return (await lstat(path)).isSymbolicLink() ? await readlink(path) : undefined
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
