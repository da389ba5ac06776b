import type { HubAccess } from '../../hub/http.ts'
import type { EntryFile } from '../../model/entry.ts'
import { type ErrorCode, ModelCacheError } from '../../model/errors.ts'
import type { HubPath } from '../../model/hub-path.ts'
import { type Model, modelLabel } from '../../model/model.ts'
import type { Commit } from '../../model/revision.ts'
import type { SnapshotId } from '../../model/snapshot.ts'
import type { TreeFile } from '../../model/tree.ts'

/** One file that is to be there. */
export interface FileTarget {
  model: Model
  commit: Commit
  /** Where it is to lie. */
  snapshot: SnapshotId
  path: HubPath
  /** What the Hub states of it. */
  stated: TreeFile
  /** What we recorded of it. */
  known: EntryFile | undefined
  hub: HubAccess
  signal?: AbortSignal
  onBytes: FileProgress
}

/** Who is told of bytes. A file that is downloaded again from zero takes back by a negative number what it told. */
export interface FileProgress {
  /** Bytes that need no download. */
  present: (bytes: number) => void
  /** Bytes that an unfinished download had brought before. */
  kept: (bytes: number) => void
  /** Bytes that come over the network now. */
  received: (bytes: number) => void
  /** A failure is waited with, so many milliseconds; undefined when the next try begins. */
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
    FILE_NOT_FOUND: 'Run again; if it stays so, a proxy between you and the Hub may answer in its place.',
    OFFLINE: `Bring it in while online: \`npx vitest-model-cache warm ${modelLabel(target.model)}\`.`,
    DIGEST_MISMATCH: 'Nothing was kept. A proxy between you and the Hub may change files: check it and HF_ENDPOINT.',
  }
  const nextStep = nextSteps[code] ?? 'Check the disk, or set MODEL_CACHE_DIR to a folder on another one.'
  return new ModelCacheError({ code, asked: `File ${targetLabel(target)}`, reason, nextStep, cause })
}
