import type { Validation } from '../../config/options.ts'
import type { EntryFile, EntryId } from '../../model/entry.ts'
import { type HubPath, parseHubPath } from '../../model/hub-path.ts'
import type { Model } from '../../model/model.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import type { SnapshotId } from '../../model/snapshot.ts'
import type { CacheContext } from '../context/context.ts'
import { isAsRecorded, ownStampOf, stampOf } from '../store/blobs.ts'
import { isWritable } from '../store/cache-folder.ts'

/** A selection whose files are all recorded at a commit. */
export interface Located {
  /** The repo's current id, under which its files are cached. */
  repo: RepoId
  commit: Commit
  snapshot: SnapshotId
  /** The paths, each with its size in bytes. */
  files: Map<HubPath, number>
  recordedDownloadMs: number | null
  warmedInThisRun: boolean
  /** The files that are missing or differ from their record. They must be verified or downloaded again before they are served. */
  changed: HubPath[]
}

/** The paths of a selection that lists single files. Undefined for other selections. */
export function exactPaths({ repo, selection }: Model): HubPath[] | undefined {
  return selection.paths?.map((path) => parseHubPath(path, repo))
}

/** Compares recorded files with the disk, as `validation` says. Undefined when one of `files` is not recorded. */
export async function compareWithDisk(
  context: CacheContext,
  { repo, commit, snapshot }: EntryId & { commit: Commit },
  files: HubPath[],
  recorded: ReadonlyMap<HubPath, EntryFile>,
  validation: Validation,
): Promise<Located | undefined> {
  const found = files.flatMap((path) => {
    const record = recorded.get(path)
    return record ? [{ path, record }] : []
  })
  if (found.length < files.length) return undefined
  const isRight = await Promise.all(
    found.map(({ path, record }) =>
      isUnchanged(context, context.layout.file(repo, snapshot, path), record, validation),
    ),
  )
  return {
    repo,
    commit,
    snapshot,
    files: new Map(found.map(({ path, record }) => [path, record.size])),
    changed: files.filter((_, index) => !isRight[index]),
    recordedDownloadMs: sumOrNull(found.map(({ record }) => record.downloadMs)),
    warmedInThisRun: false,
  }
}

async function isUnchanged(
  context: CacheContext,
  file: string,
  record: EntryFile,
  validation: Validation,
): Promise<boolean> {
  // Such a record proves nothing about the file: the record was rebuilt, or `verify` found a flaw in the file.
  const isUnverified = record.ino === '0' && record.mtimeMs === 0
  if (validation === 'none' && !isUnverified) return stampOf(file) !== undefined
  if (isUnverified || !isAsRecorded(ownStampOf(file), record)) return isReadOnlyAndRight(context, file, record)
  return validation === 'stat' || context.isVerified(file, record)
}

/**
 * True for a file of a read-only folder that has the recorded digest. A copy of a cache (`cp -a`, an image) has new inodes, and the
 * records of a read-only copy can't be updated. So each process computes the digests of the files that differ from their records.
 */
async function isReadOnlyAndRight(context: CacheContext, file: string, record: EntryFile): Promise<boolean> {
  const stamp = stampOf(file)
  if (stamp?.size !== record.size || isWritable(context.layout)) return false
  const isRight = await context.isVerified(file, { ...record, ...stamp })
  if (isRight) context.verifiedStamps.set(file, stamp)
  return isRight
}

function sumOrNull(values: (number | null)[]): number | null {
  return values.reduce((sum, value) => (sum === null || value === null ? null : sum + value), 0)
}
