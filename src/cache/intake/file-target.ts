import type { HubAccess } from '../../hub/http.ts'
import type { EntryFile } from '../../model/entry.ts'
import { type ErrorCode, ModelCacheError } from '../../model/errors.ts'
import type { HubPath } from '../../model/hub-path.ts'
import { type Model, modelLabel } from '../../model/model.ts'
import type { Commit } from '../../model/revision.ts'
import type { SnapshotId } from '../../model/snapshot.ts'
import type { TreeFile } from '../../model/tree.ts'
import type { ModelOnRemote } from './model-on-remote.ts'

/** One file that belongs into the cache. */
export interface BlobTarget {
  model: Model
  /** The snapshot folder into which it is linked. */
  snapshot: SnapshotId
  path: HubPath
  /** Its size and digest, as the Hub or the lock file states them. */
  stated: TreeFile
  /** Its record; undefined for a file that was never recorded. */
  known: EntryFile | undefined
  signal?: AbortSignal
}

/** One file to get into the cache from another cache or from the Hub. */
export interface FileTarget extends BlobTarget {
  commit: Commit
  hub: HubAccess
  onRemote: ModelOnRemote
  /** The name of the lock file, if that states it. */
  lockfile?: string
  /** True: what is not in this cache is an error. No other cache, remote or Hub is asked. */
  onlyHere?: boolean
  onBytes: FileProgress
}

/** Called with numbers of bytes. When a file is downloaded again from the beginning, its discarded bytes are a negative number. */
export interface FileProgress {
  /** Bytes that need no download. */
  present: (bytes: number) => void
  /** Bytes that this machine has already: in an unfinished download, or in another revision of the file. */
  kept: (bytes: number) => void
  /** Bytes that are received from the Hub. */
  received: (bytes: number) => void
  /** Bytes that are received from the remote. */
  restored: (bytes: number) => void
  /** Bytes that come from the pack files. */
  unpacked: (bytes: number) => void
  /** Milliseconds until the next try after a failure; undefined when that try begins. */
  waiting: (waitMs: number | undefined) => void
}

/** `<path> of <model>` */
export function targetLabel({ model, path }: Pick<FileTarget, 'model' | 'path'>): string {
  return `${path} of ${modelLabel(model)}`
}

export function fileFailure(
  target: Pick<FileTarget, 'model' | 'path'>,
  code: ErrorCode,
  reason: string,
  cause?: unknown,
): ModelCacheError {
  const nextSteps: Partial<Record<ErrorCode, string>> = {
    FILE_NOT_FOUND: 'Run again. If the error stays, a proxy between you and the Hub may answer in place of the Hub.',
    OFFLINE: `Download it while online: \`npx vitest-model-cache warm ${modelLabel(target.model)}\`.`,
    LOCK_MISMATCH: `Nothing was kept. To take what the Hub has now: \`npx vitest-model-cache lock --update ${modelLabel(target.model)}\`.`,
    DIGEST_MISMATCH: 'Nothing was kept. A proxy between you and the Hub may change files: check it and HF_ENDPOINT.',
  }
  const nextStep = nextSteps[code] ?? 'Check the disk, or set MODEL_CACHE_DIR to a folder on another one.'
  return new ModelCacheError({ code, asked: `File ${targetLabel(target)}`, reason, nextStep, cause })
}
