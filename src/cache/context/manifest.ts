import type { Access, EntryFile, EntrySelection } from '../../model/entry.ts'
import type { ErrorParts } from '../../model/errors.ts'
import type { HubPath } from '../../model/hub-path.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import type { SnapshotId } from '../../model/snapshot.ts'

/** What the warm-up hands to the workers, as plain JSON. A worker that has it serves a hit with one `stat` a file. */
export interface Manifest {
  models: ManifestModel[]
  failures: ManifestFailure[]
}

export interface ManifestModel {
  /** The id under which it is kept. */
  repo: RepoId
  /** The names by which it was asked for. */
  names: RepoId[]
  revision: string
  commit: Commit
  snapshot: SnapshotId
  access: Access
  /** True when this run's warm-up downloaded something of it. */
  downloaded: boolean
  selections: Pick<EntrySelection, 'key' | 'files'>[]
  files: [HubPath, EntryFile][]
}

/** A model that could not be had: the reason is thrown where a test asks for it. */
export interface ManifestFailure {
  repo: RepoId
  revision: string
  /** See `selectionKey`. */
  selection: string
  error: Omit<ErrorParts, 'cause'>
}

const indexes = new WeakMap<ManifestModel, ReadonlyMap<HubPath, EntryFile>>()

/** The files of a model by their paths. Made once: untouched code asks file by file, and a repo may have thousands. */
export function filesInManifest(model: ManifestModel): ReadonlyMap<HubPath, EntryFile> {
  const index = indexes.get(model) ?? new Map(model.files)
  indexes.set(model, index)
  return index
}

export function findInManifest(
  manifest: Manifest | undefined,
  model: { repo: RepoId; revision: string },
): ManifestModel | undefined {
  return manifest?.models.find(
    ({ repo, names, revision }) => revision === model.revision && (repo === model.repo || names.includes(model.repo)),
  )
}
