import type { Validation } from '../../config/options.ts'
import type { EntryFile, EntryId } from '../../model/entry.ts'
import { type HubPath, parseHubPath } from '../../model/hub-path.ts'
import type { Model } from '../../model/model.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import type { SnapshotId } from '../../model/snapshot.ts'
import type { CacheContext } from '../context/context.ts'
import { isAsRecorded, ownStampOf, stampOf } from '../store/blobs.ts'

/** A selection of which all files are recorded at a commit. */
export interface Located {
  /** The id under which it is kept. */
  repo: RepoId
  commit: Commit
  snapshot: SnapshotId
  /** Paths and bytes. */
  files: Map<HubPath, number>
  recordedDownloadMs: number | null
  warmedInThisRun: boolean
  /** Files whose size, time or inode differ from the record: to be verified before they are served. */
  changed: HubPath[]
}

/** The paths of a selection that names them one by one. */
export function exactPaths({ repo, selection }: Model): HubPath[] | undefined {
  return selection.paths?.map((path) => parseHubPath(path, repo))
}

/** Undefined when one of the files is not recorded. */
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
  // Never verified: the record was rebuilt, or `verify` found the file wrong.
  if (record.ino === '0' && record.mtimeMs === 0) return false
  if (validation === 'none') return stampOf(file) !== undefined
  if (!isAsRecorded(ownStampOf(file), record)) return false
  return validation === 'stat' || context.isVerified(file, record)
}

function sumOrNull(values: (number | null)[]): number | null {
  return values.reduce((sum, value) => (sum === null || value === null ? null : sum + value), 0)
}
