import { createHash } from 'node:crypto'
import { type Commit, isCommit } from './revision.ts'

/**
 * The name of an entry's folder below `snapshots/`: 40 lower-case hexadecimal digits. It is the commit, or, where another
 * endpoint's entry of this commit has that folder, `snapshotBeside`.
 */
export type SnapshotId = string & { readonly SnapshotId: unique symbol }

/** The folder that huggingface_hub uses, and that the first endpoint of a commit gets. */
export function snapshotOf(commit: Commit): SnapshotId {
  return commit as string as SnapshotId
}

/** The folder of a further endpoint, so that neither endpoint changes a path that the other has handed out. */
export function snapshotBeside(commit: Commit, endpoint: string | undefined): SnapshotId {
  const id = createHash('sha1')
    .update(`${endpoint ?? ''}\0${commit}`)
    .digest('hex')
  return id as SnapshotId
}

/** Both folders in which an entry may lie, the likelier one first. */
export function snapshotsOf(commit: Commit, endpoint: string | undefined): SnapshotId[] {
  return [snapshotOf(commit), snapshotBeside(commit, endpoint)]
}

/** True when the text is the name of a snapshot folder, of whatever commit. */
export function isSnapshotId(text: string): text is SnapshotId {
  return isCommit(text)
}
