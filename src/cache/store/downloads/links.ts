import { linkSync, lstatSync, readlinkSync, symlinkSync } from 'node:fs'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import type { Digest } from '../../../model/digest.ts'
import { systemCode } from '../../../model/errors.ts'
import type { HubPath } from '../../../model/hub-path.ts'
import type { RepoId } from '../../../model/repo-id.ts'
import type { SnapshotId } from '../../../model/snapshot.ts'
import { moveInto, replaceFile } from '../atomic-write.ts'
import { stampOf } from '../blobs.ts'
import type { Layout } from '../layout.ts'
import { uniqueBeside } from '../own-names.ts'
import { removeUnique } from '../remove-own.ts'

/** How a file of a snapshot refers to its blob. */
export type LinkKind = 'symlink' | 'hardlink' | 'copy'

// The errors of file systems that have no such links, and of Windows when the user lacks the privilege.
const NOT_PERMITTED = ['EPERM', 'EACCES', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'EMLINK', 'UNKNOWN']

const kinds = new Map<string, Promise<LinkKind>>()

/**
 * Makes a blob visible as a file of a snapshot: by a relative symbolic link as huggingface_hub does, else by a hard link, else by a
 * copy, depending on what the file system supports. All files of a cache are linked in the same way: when links are mixed, ONNX
 * Runtime refuses external data, because it lies outside of the model's folder.
 */
export async function linkIntoSnapshot(
  layout: Layout,
  file: { repo: RepoId; snapshot: SnapshotId; path: HubPath; digest: Digest },
): Promise<void> {
  const blob = layout.blob(file.repo, file.digest)
  const path = layout.file(file.repo, file.snapshot, file.path)
  const kind = await linkKindOf(layout)
  if (isLinked(kind, blob, path)) return
  // The temporary file is not made in the snapshot: if a killed process left it there, tools would list it as a file of the model.
  if (kind === 'copy') return copyInto(path, blob, layout.incoming)
  replaceFile(path, layout.incoming, (temporary) => makeLink(kind, blob, path, temporary))
}

/** The kind of links that the file system supports. Tried once for each cache folder and process. */
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

/** Makes a link at `temporary` that is right once it is moved to `path`. */
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
  // The file may be a copy that was changed. A link is made only for files that are new or changed, so it is copied again.
  if (kind === 'copy') return false
  const there = stampOf(path)
  return there !== undefined && there.ino === stampOf(blob)?.ino
}

function currentTarget(path: string): string | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(path) : undefined
}
