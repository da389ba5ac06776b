import { existsSync, lstatSync, readlinkSync, realpathSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import type { EntryId } from '../../model/entry.ts'
import { messageOf } from '../../model/errors.ts'
import { parseRepoId } from '../../model/repo-id.ts'
import { isSnapshotId } from '../../model/snapshot.ts'
import type { CacheContext } from '../context/context.ts'
import type { PathToLoad } from '../context/decided-path.ts'
import { isWritable } from '../store/cache-folder.ts'
import type { Layout } from '../store/layout.ts'
import { entriesIn, valid } from '../store/list-folder.ts'
import { isOnNetwork } from '../store/network-disk.ts'
import {
  type Blob,
  blobAt,
  hasSkeleton,
  isOnnxFile,
  SMALLEST_GAIN_BYTES,
  skeletonOf,
} from '../store/skeletons/skeleton-file.ts'

/** Chooses the path to open for a file below `hub`. Makes the skeleton when it is missing or damaged. Throws the errors of the disk. */
export async function decidePath(context: CacheContext, file: string): Promise<PathToLoad> {
  const found = await mappableBlob(context, file)
  if ('reason' in found) return plain(file, found.reason)
  const reason = hasSkeleton(found) ? undefined : await makeFor(context, file, found)
  if (reason !== undefined) return plain(file, reason)
  // ONNX Runtime compares real paths: a folder above the cache may be a link.
  return { path: realpathSync.native(skeletonOf(found.path)), way: 'mapped' }
}

/**
 * Makes the skeleton of a cached file, so that workers need not make it. `isNew`: the file was just downloaded, and an earlier skeleton
 * is replaced. Never throws: a file without a skeleton is loaded plainly. Returns the bytes of the skeleton; undefined without one.
 */
export async function prepareMapping(
  context: CacheContext,
  file: string,
  { isNew = false } = {},
): Promise<number | undefined> {
  if (context.options.load === 'plain' || !isOnnxFile(file)) return undefined
  try {
    const found = await mappableBlob(context, file)
    if ('reason' in found) return undefined
    const skeleton = skeletonOf(found.path)
    // Its content is checked when it is opened.
    const isMade = (!isNew && existsSync(skeleton)) || (await makeFor(context, file, found)) === undefined
    return isMade ? lstatSync(skeleton, { throwIfNoEntry: false })?.size : undefined
  } catch (error) {
    context.debug(`${file} will be loaded plainly: ${messageOf(error)}`)
    return undefined
  }
}

export function plain(path: string, reason: string): PathToLoad {
  return { path, way: 'plain', reason }
}

/** The blob of a file, or the reason why it is loaded plainly. */
async function mappableBlob(context: CacheContext, file: string): Promise<Blob | { reason: string }> {
  const { layout } = context
  const entry = entryOf(layout, file)
  const blob = entry && blobOf(layout, entry, file)
  if (!blob) return { reason: 'its blob is not in this cache' }
  if (blob.size < SMALLEST_GAIN_BYTES) return { reason: 'it is too small' }
  if (isOnNetwork(blob.path)) return { reason: 'it is on a network disk' }
  // Another user could write a skeleton that points to other weights.
  const reason = await context.whoElseWrites(entry)
  return reason === undefined ? blob : { reason }
}

/** Returns the reason when no skeleton was made. */
async function makeFor(context: CacheContext, file: string, blob: Blob): Promise<string | undefined> {
  const { layout } = context
  if (!isWritable(layout) || context.refusal) return 'the cache folder is read-only'
  const { writeSkeleton } = await import('../store/skeletons/write-skeleton.ts')
  const reason = await writeSkeleton(layout, blob)
  context.debug(`Mapped loading of ${file}: ${reason === undefined ? 'prepared' : `not possible, ${reason}`}`)
  return reason
}

function entryOf(layout: Layout, file: string): EntryId | undefined {
  const [folder = '', snapshots, snapshot = ''] = relative(layout.hub, file).split(sep)
  const repo = valid(() => parseRepoId(folder.split('--').slice(1).join('/')))
  if (!repo || snapshots !== 'snapshots' || !isSnapshotId(snapshot)) return undefined
  return layout.repo(repo) === join(layout.hub, folder) ? { repo, snapshot } : undefined
}

/** The blob that a file of a snapshot refers to. Undefined for a copy, and for a file or folder that is in another cache. */
function blobOf(layout: Layout, { repo }: EntryId, file: string): Blob | undefined {
  const blobs = join(layout.repo(repo), 'blobs')
  const isFolder = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory()
  if (!isFolder(layout.repo(repo)) || !isFolder(blobs)) return undefined
  const name = lstatSync(file).isSymbolicLink() ? linkedName(file, blobs) : hardLinkedName(file, blobs)
  return name === undefined ? undefined : blobAt(join(blobs, name))
}

function linkedName(file: string, blobs: string): string | undefined {
  const target = join(dirname(file), readlinkSync(file))
  return dirname(target) === blobs ? relative(blobs, target) : undefined
}

/** On a file system without symbolic links, the file is a second name of the blob. */
function hardLinkedName(file: string, blobs: string): string | undefined {
  const inode = (path: string) => lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino
  const own = inode(file)
  return entriesIn(blobs).find(({ name }) => inode(join(blobs, name)) === own)?.name
}
