import { lstatSync, readlinkSync, realpathSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import type { EntryId } from '../model/entry.ts'
import { messageOf } from '../model/errors.ts'
import { parseRepoId } from '../model/repo-id.ts'
import { isSnapshotId } from '../model/snapshot.ts'
import type { CacheContext } from './context/context.ts'
import { isAsRecorded, stampOf } from './store/blobs.ts'
import { isWritable } from './store/cache-folder.ts'
import type { Layout } from './store/layout.ts'
import { valid } from './store/list-folder.ts'
import { type Blob, blobAt, hasSkeleton, skeletonOf } from './store/skeletons/skeleton-file.ts'

/** The path that a runtime is to open for a cached file. */
export interface PathToLoad {
  path: string
  /**
   * `mapped`: the path is that of a small ONNX file, and the runtime maps the weights from the cached file. `plain`: the path is that of
   * the file itself.
   */
  way: 'mapped' | 'plain'
  /** Why the file is loaded plainly. */
  reason?: string
}

// Smaller files have too few weights.
const SMALLEST_MAPPED_BYTES = 1 << 20

/**
 * Returns the path that a runtime is to open for a file that this cache served. Makes the small file for mapped loading when it is
 * missing. Never throws: for a file that can't be mapped, and for one that is not from this cache, returns the path as it is.
 */
export async function pathToLoad(context: CacheContext, file: string): Promise<PathToLoad> {
  if (context.options.load === 'plain') return plain(file, 'the option `load` says so')
  if (!file.endsWith('.onnx')) return plain(file, 'it is no .onnx file')
  try {
    const owner = await ownerOf(context, file)
    if (!owner) return plain(file, 'it is no file of this cache')
    const known = owner.pathsToLoad.get(file)
    if (known?.stamps.every(({ path, stamp }) => isSame(stampOf(path), stamp))) return known.answer
    const answer = await choosePath(owner, file)
    const stamps = [file, answer.path].map((path) => ({ path, stamp: stampOf(path) }))
    owner.pathsToLoad.set(file, { answer, stamps })
    return answer
  } catch (error) {
    return plain(file, messageOf(error))
  }
}

function plain(path: string, reason: string): PathToLoad {
  return { path, way: 'plain', reason }
}

/** The cache that the file belongs to: this one, or the temporary one that replaces it. */
async function ownerOf(context: CacheContext, file: string): Promise<CacheContext | undefined> {
  const isOf = ({ layout }: CacheContext) => file.startsWith(layout.hub + sep)
  if (isOf(context)) return context
  const temporary = await context.openedTemporary
  return temporary && isOf(temporary) ? temporary : undefined
}

async function choosePath(context: CacheContext, file: string): Promise<PathToLoad> {
  const { layout } = context
  const entry = entryOf(layout, file)
  const blob = entry && blobOf(layout, entry, file)
  if (!blob) return plain(file, 'its blob is not in this cache')
  if (blob.size < SMALLEST_MAPPED_BYTES) return plain(file, 'it is too small')
  const others = await context.whoElseWrites(entry)
  if (others !== undefined) return plain(file, others)
  if (!hasSkeleton(blob)) {
    if (!isWritable(layout) || context.refusal) return plain(file, 'the cache folder is read-only')
    const { writeSkeleton } = await import('./store/skeletons/write-skeleton.ts')
    const reason = writeSkeleton(layout, blob)
    context.debug(`Mapped loading of ${file}: ${reason === undefined ? 'prepared' : `not possible, ${reason}`}`)
    if (reason !== undefined) return plain(file, reason)
  }
  return { path: skeletonOf(blob.path), way: 'mapped' }
}

function entryOf(layout: Layout, file: string): EntryId | undefined {
  const [folder = '', snapshots, snapshot = ''] = relative(layout.hub, file).split(sep)
  const repo = valid(() => parseRepoId(folder.split('--').slice(1).join('/')))
  const isOurs =
    repo && isSnapshotId(snapshot) && snapshots === 'snapshots' && layout.repo(repo) === join(layout.hub, folder)
  return isOurs ? { repo, snapshot } : undefined
}

/** The blob that a file of a snapshot refers to. Undefined for a copy, and for a file or folder that is in another cache. */
function blobOf(layout: Layout, { repo }: EntryId, file: string): Blob | undefined {
  const blobs = join(layout.repo(repo), 'blobs')
  const isFolder = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory()
  if (!isFolder(layout.repo(repo)) || !isFolder(blobs) || !lstatSync(file).isSymbolicLink()) return undefined
  const target = join(dirname(file), readlinkSync(file))
  // ONNX Runtime compares real paths: a folder above the cache may be a link.
  return dirname(target) === blobs ? blobAt(join(realpathSync(blobs), relative(blobs, target))) : undefined
}

function isSame(now: ReturnType<typeof stampOf>, before: ReturnType<typeof stampOf>): boolean {
  return now === undefined ? before === undefined : isAsRecorded(now, before)
}
