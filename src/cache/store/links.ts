import { linkSync, lstatSync, readlinkSync, symlinkSync } from 'node:fs'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import type { Digest } from '../../model/digest.ts'
import { systemCode } from '../../model/errors.ts'
import type { HubPath } from '../../model/hub-path.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { SnapshotId } from '../../model/snapshot.ts'
import { moveInto, replaceFile } from './atomic-write.ts'
import { stampOf } from './blobs.ts'
import type { Layout } from './layout.ts'
import { uniqueBeside } from './own-names.ts'
import { removeUnique } from './remove-own.ts'

/** How a file of a snapshot stands for its blob. */
export type LinkKind = 'symlink' | 'hardlink' | 'copy'

// What file systems and Windows without the privilege answer to a link that they do not make.
const NOT_PERMITTED = ['EPERM', 'EACCES', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'EMLINK', 'UNKNOWN']

const kinds = new Map<string, Promise<LinkKind>>()

/**
 * Makes a blob visible as a file of a snapshot: by a relative symbolic link as huggingface_hub does, and where the file
 * system has none by a hard link, else a copy. All files of a cache are linked in one way: ONNX Runtime refuses external
 * data that lies outside the model's folder when links are mixed.
 */
export async function linkIntoSnapshot(
  layout: Layout,
  file: { repo: RepoId; snapshot: SnapshotId; path: HubPath; digest: Digest },
): Promise<void> {
  const blob = layout.blob(file.repo, file.digest)
  const path = layout.file(file.repo, file.snapshot, file.path)
  const kind = await linkKindOf(layout)
  if (isLinked(kind, blob, path)) return
  // Not beside it: what a kill leaves would be a file of the model to whoever lists the snapshot.
  if (kind === 'copy') return copyInto(path, blob, layout.incoming)
  replaceFile(path, layout.incoming, (temporary) => makeLink(kind, blob, path, temporary))
}

/** Which links the file system makes, found out once a process by trying. */
export function linkKindOf(layout: Layout): Promise<LinkKind> {
  const known = kinds.get(layout.directory)
  if (known) return known
  const found = findLinkKind(layout)
  kinds.set(layout.directory, found)
  found.catch(() => kinds.delete(layout.directory))
  return found
}

async function findLinkKind(layout: Layout): Promise<LinkKind> {
  await mkdir(layout.incoming, { recursive: true, mode: 0o700 })
  const target = uniqueBeside(join(layout.incoming, 'probe'), 'tmp')
  const probe = `${target}.link.tmp`
  try {
    await writeFile(target, '')
    for (const kind of ['symlink', 'hardlink'] as const) if (isMade(kind, target, probe)) return kind
    return 'copy'
  } finally {
    removeUnique(probe)
    removeUnique(target)
  }
}

function isMade(kind: LinkKind, target: string, probe: string): boolean {
  try {
    makeLink(kind, target, probe, probe)
    return true
  } catch (error) {
    if (NOT_PERMITTED.includes(systemCode(error) ?? '')) return false
    throw error
  }
}

/** Makes `temporary`, which is to be moved to `path`. */
function makeLink(kind: LinkKind, blob: string, path: string, temporary: string): void {
  if (kind === 'symlink') symlinkSync(relative(dirname(path), blob), temporary)
  else linkSync(blob, temporary)
}

async function copyInto(path: string, blob: string, folder: string): Promise<void> {
  const copy = uniqueBeside(join(folder, 'copy'), 'tmp')
  try {
    await copyFile(blob, copy)
    await moveInto(copy, path)
  } finally {
    removeUnique(copy)
  }
}

function isLinked(kind: LinkKind, blob: string, path: string): boolean {
  if (kind === 'symlink') return currentTarget(path) === relative(dirname(path), blob)
  // A copy can't be told from a changed one: who asks for the link was told that something changed.
  if (kind === 'copy') return false
  const there = stampOf(path)
  return there !== undefined && there.ino === stampOf(blob)?.ino
}

function currentTarget(path: string): string | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(path) : undefined
}
