import { ModelCacheError } from '../model/errors.ts'
import { type HubPath, parseHubPath } from '../model/hub-path.ts'
import type { RepoId } from '../model/repo-id.ts'
import type { Commit } from '../model/revision.ts'
import type { SnapshotId } from '../model/snapshot.ts'
import type { Tier } from '../model/tier.ts'
import type { Layout } from './store/layout.ts'

/** A model that is complete in the cache. Its paths lead into the cache; nothing is copied. */
export interface CachedModel {
  repo: RepoId
  revision: string
  commit: Commit
  /** See `Entry.snapshot`. */
  snapshot: SnapshotId
  /** The snapshot folder, absolute. It may hold files of other selections too. */
  directory: string
  /** The files of the selection, by their paths in the repo, each with its bytes. */
  files: ReadonlyMap<HubPath, number>
  /** The tier that served it. */
  tier: Tier
  /** Bytes of all these files. */
  bytes: number
  /** Milliseconds of the lookup, without the time of a download or of a wait for one. */
  lookupMs: number
  /** Milliseconds of its download, and of waiting for another download of the same repo. Null when there was neither. */
  downloadMs: number | null
  /** Bytes that this call downloaded. */
  downloadedBytes: number
  /** Milliseconds that restoring its files took, from the remote or from pack files. Null if none was, or if the rest was downloaded. */
  restoreMs: number | null
  /** Bytes that this call read from the remote. */
  restoredBytes: number
  /** Bytes that this call restored from the pack files. */
  unpackedBytes: number
  /** Bytes that this call adopted from another Hugging Face cache. */
  adoptedBytes: number
  /** Files that had changed since they were recorded, and were downloaded, restored or adopted again by this call. */
  repaired: readonly HubPath[]
  /** Milliseconds that the download of its files took, in this run or an earlier one. Null when that is not known. */
  recordedDownloadMs: number | null
  /** True when this run's warm-up downloaded it. */
  warmedInThisRun: boolean
  /** The absolute path of one of its files. Throws `FILE_NOT_FOUND` for a file that is not in the selection. */
  file(path: string): string
}

export function makeCachedModel(layout: Layout, parts: Omit<CachedModel, 'directory' | 'file' | 'bytes'>): CachedModel {
  return {
    ...parts,
    directory: layout.snapshot(parts.repo, parts.snapshot),
    bytes: [...parts.files.values()].reduce((sum, bytes) => sum + bytes, 0),
    file(path) {
      const safe = parseHubPath(path, parts.repo)
      if (parts.files.has(safe)) return layout.file(parts.repo, parts.snapshot, safe)
      throw new ModelCacheError({
        code: 'FILE_NOT_FOUND',
        asked: `File ${JSON.stringify(path)} of ${parts.repo}`,
        reason: `It is not among the ${parts.files.size} files of this selection.`,
        nextStep: `Ask for it by \`files\`, or for one of ${[...parts.files.keys()].slice(0, 8).join(', ')}.`,
      })
    },
  }
}
