import { ModelCacheError } from '../model/errors.ts'
import { type HubPath, parseHubPath } from '../model/hub-path.ts'
import type { RepoId } from '../model/repo-id.ts'
import type { Commit } from '../model/revision.ts'
import type { SnapshotId } from '../model/snapshot.ts'
import type { Tier } from '../model/tier.ts'
import type { Layout } from './store/layout.ts'

/** A model that is there to be used: paths in the cache, never copies. */
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
  /** Where it was served from. */
  tier: Tier
  /** Bytes of all of them. */
  bytes: number
  /** Milliseconds, without what was waited for a download. */
  lookupMs: number
  /** Milliseconds of downloading, and of waiting for another that downloads of the same repo; null where there was neither. */
  downloadMs: number | null
  /** Bytes that were downloaded for it just now. */
  downloadedBytes: number
  /** Bytes that were taken over from another Hugging Face cache just now. */
  adoptedBytes: number
  /** Files that were found changed just now, and were brought in anew. */
  repaired: readonly HubPath[]
  /** What its download took when it was brought in, milliseconds; null where unknown. */
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
