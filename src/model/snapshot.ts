import { createHash } from '../platform/late-crypto.ts'
import { type Commit, isCommit } from './revision.ts'

/**
 * The name of an entry's folder below `snapshots/`: 40 lower-case hexadecimal digits. The folder is named by the commit. If
 * another endpoint's entry of the same commit has that folder already, `snapshotBeside` gives the name.
 */
export type SnapshotId = string & { readonly SnapshotId: unique symbol }

/** The folder that huggingface_hub uses. The first endpoint that states the commit gets it. */
export function snapshotOf(commit: Commit): SnapshotId {
  return commit as string as SnapshotId
}

/** The folder for a second endpoint of the same commit. With its own folder, no endpoint changes files of another one. */
export function snapshotBeside(commit: Commit, endpoint: string | undefined): SnapshotId {
  const id = createHash('sha1')
    .update(`${endpoint ?? ''}\0${commit}`)
    .digest('hex')
  return id as SnapshotId
}

/** Both folders that may hold an entry, the more likely one first. */
export function snapshotsOf(commit: Commit, endpoint: string | undefined): SnapshotId[] {
  return [snapshotOf(commit), snapshotBeside(commit, endpoint)]
}

/** True when the text has the form of a snapshot folder's name. */
export function isSnapshotId(text: string): text is SnapshotId {
  return isCommit(text)
}
