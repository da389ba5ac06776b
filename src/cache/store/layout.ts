import { join, sep } from 'node:path'
import { blobNameOf, type Digest } from '../../model/digest.ts'
import type { HubPath } from '../../model/hub-path.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import type { SnapshotId } from '../../model/snapshot.ts'

/** A folder that has a subfolder for each repo with the stored answers about it: refs and listings. */
export class RepoFolders {
  constructor(readonly hub: string) {}

  /** `models--<org>--<name>`, as huggingface_hub's `repo_folder_name`. */
  repo(repo: RepoId): string {
    // Not by `join`: commands call this for each of thousands of repos.
    return `${this.hub}${sep}models--${repo.replaceAll('/', '--')}`
  }

  ref(repo: RepoId, revision: string): string {
    return join(this.repo(repo), 'refs', revision)
  }

  tree(repo: RepoId, commit: Commit): string {
    return join(this.repo(repo), 'trees', `${commit}.json`)
  }
}

/** A `RepoFolders` in our own cache folder, which may be written. */
export type WritableFolders = RepoFolders & { readonly cache: Layout }

/** The paths in a Hugging Face cache, ours or another: the layout of huggingface_hub. */
export class HubFolder extends RepoFolders {
  blob(repo: RepoId, digest: Digest): string {
    return join(this.repo(repo), 'blobs', blobNameOf(digest))
  }

  snapshot(repo: RepoId, snapshot: SnapshotId): string {
    return join(this.repo(repo), 'snapshots', snapshot)
  }

  file(repo: RepoId, snapshot: SnapshotId, path: HubPath): string {
    return join(this.snapshot(repo, snapshot), path)
  }
}

/** The paths in a cache folder. */
export class Layout extends HubFolder {
  readonly marker: string
  readonly tag: string
  readonly metadata: string
  readonly incoming: string
  readonly leases: string
  readonly runs: string
  /** What was read in the source files of projects. */
  readonly sources: string
  /** The compiled code of the modules that workers load: Node.js's compile cache. */
  readonly compile: string
  /** The stored answers of all endpoints, see `Origin`. */
  readonly origins: string
  /** The models that are packed, the recipes of their blobs, and the pack files with the chunks. */
  readonly cold: string
  readonly packedModels: string
  readonly packedBlobs: string
  readonly packs: string
  /** This file is there while the pack files may have chunks that no model has. */
  readonly unfinishedPacks: string
  /** Its content says when maintenance was last complete. */
  readonly maintained: string
  /** The lock file of maintenance. No repo has this name. */
  readonly maintenanceLock: string
  /** The lock file of the process that maintains the cache in the background. It stops when this file is removed. */
  readonly backgroundLock: string
  /** The lock file of the pack files. No repo has this name. */
  readonly coldLock: string
  /** Where earlier versions stored the renames of all endpoints together. */
  readonly formerRenames: string
  /** Where earlier versions stored the API answers of all endpoints together. */
  readonly formerApi: string

  constructor(readonly directory: string) {
    super(join(directory, 'hub'))
    this.marker = join(directory, 'cache.json')
    this.tag = join(directory, 'CACHEDIR.TAG')
    this.metadata = join(directory, 'cache_metadata.json')
    this.incoming = join(directory, 'incoming')
    this.leases = join(directory, 'leases')
    this.runs = join(directory, 'runs')
    this.sources = join(directory, 'sources')
    this.compile = join(directory, 'compile')
    this.origins = join(directory, 'origins')
    this.cold = join(directory, 'cold')
    this.packedModels = join(this.cold, 'models')
    this.packedBlobs = join(this.cold, 'blobs')
    this.packs = join(this.cold, 'packs')
    this.unfinishedPacks = join(this.cold, 'unfinished')
    this.maintained = join(directory, 'maintenance.json')
    this.maintenanceLock = join(this.incoming, '~maintenance.lock')
    this.backgroundLock = join(this.incoming, '~background.lock')
    this.coldLock = join(this.incoming, '~cold.lock')
    this.formerRenames = join(directory, 'renames')
    this.formerApi = join(directory, 'api')
  }

  /** The recipe of a packed blob. */
  packedBlob(digest: Digest): string {
    return join(this.packedBlobs, blobNameOf(digest))
  }

  /** The cache folder that `hub/` belongs to: this one. */
  get cache(): Layout {
    return this
  }

  /**
   * The lock file of a repo. A process holds it while it downloads or deletes files of the repo. Names that differ only in case
   * share a lock: they are one repo at the Hub, and one folder on some disks.
   */
  lock(repo: RepoId): string {
    return join(this.incoming, `${encodeURIComponent(repo.toLowerCase())}.lock`)
  }
}
