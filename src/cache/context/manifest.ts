import type { Access, EntryFile, EntrySelection } from '../../model/entry.ts'
import type { ErrorParts } from '../../model/errors.ts'
import type { HubPath } from '../../model/hub-path.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import type { SnapshotId } from '../../model/snapshot.ts'

/** The warm-up's result for the workers, as plain JSON. With it, a worker serves a hit with one `stat` a file. */
export interface Manifest {
  models: ManifestModel[]
  failures: ManifestFailure[]
}

/** A model that the warm-up found or downloaded, with all its cached files. */
export interface ManifestModel {
  /** The repo's current id, under which its files are cached. */
  repo: RepoId
  /** The names with which the repo was asked for. */
  names: RepoId[]
  revision: string
  commit: Commit
  snapshot: SnapshotId
  access: Access
  /** True when this run's warm-up downloaded at least one of its files. */
  downloaded: boolean
  /** See `CacheContext.whoElseWrites`. */
  whoElseWrites?: string
  selections: Pick<EntrySelection, 'key' | 'files'>[]
  files: [HubPath, EntryFile][]
}

/** A model for which the warm-up failed. The error is thrown when a test asks for the model. */
export interface ManifestFailure {
  repo: RepoId
  revision: string
  /** See `selectionKey`. */
  selection: string
  error: Omit<ErrorParts, 'cause'>
}

const indexes = new WeakMap<ManifestModel, ReadonlyMap<HubPath, EntryFile>>()

/** The files of a model by their paths. The map is made once, because untouched code requests each file of a repo separately. */
export function filesInManifest(model: ManifestModel): ReadonlyMap<HubPath, EntryFile> {
  const index = indexes.get(model) ?? new Map(model.files)
  indexes.set(model, index)
  return index
}

/** The model of the manifest with this revision and with this repo as its id or as one of its names. */
export function findInManifest(
  manifest: Manifest | undefined,
  model: { repo: RepoId; revision: string },
): ManifestModel | undefined {
  return manifest?.models.find(
    ({ repo, names, revision }) => revision === model.revision && (repo === model.repo || names.includes(model.repo)),
  )
}
