import { join } from 'node:path'
import { blobNameOf, type Digest } from '../../model/digest.ts'
import type { HubPath } from '../../model/hub-path.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'

/** Where each thing lies in a Hugging Face cache, ours or another: the layout of huggingface_hub. */
export class HubFolder {
  constructor(readonly hub: string) {}

  /** `models--<org>--<name>`, as huggingface_hub's `repo_folder_name`. */
  repo(repo: RepoId): string {
    return join(this.hub, `models--${repo.replaceAll('/', '--')}`)
  }

  blob(repo: RepoId, digest: Digest): string {
    return join(this.repo(repo), 'blobs', blobNameOf(digest))
  }

  snapshot(repo: RepoId, commit: Commit): string {
    return join(this.repo(repo), 'snapshots', commit)
  }

  file(repo: RepoId, commit: Commit, path: HubPath): string {
    return join(this.snapshot(repo, commit), path)
  }

  ref(repo: RepoId, revision: string): string {
    return join(this.repo(repo), 'refs', revision)
  }

  tree(repo: RepoId, commit: Commit): string {
    return join(this.repo(repo), 'trees', `${commit}.json`)
  }
}

/** Where each thing lies in a cache folder. */
export class Layout extends HubFolder {
  readonly marker: string
  readonly tag: string
  readonly metadata: string
  readonly incoming: string
  readonly leases: string
  readonly renames: string
  readonly runs: string
  readonly api: string

  constructor(readonly directory: string) {
    super(join(directory, 'hub'))
    this.marker = join(directory, 'cache.json')
    this.tag = join(directory, 'CACHEDIR.TAG')
    this.metadata = join(directory, 'cache_metadata.json')
    this.incoming = join(directory, 'incoming')
    this.leases = join(directory, 'leases')
    this.renames = join(directory, 'renames')
    this.runs = join(directory, 'runs')
    this.api = join(directory, 'api')
  }

  /**
   * Who brings in files of a repo, or deletes some, holds it. Names that differ by case alone mean one repo at the Hub,
   * and one folder on some disks.
   */
  lock(repo: RepoId): string {
    return join(this.incoming, `${encodeURIComponent(repo.toLowerCase())}.lock`)
  }

  /** What the Hub's API answered of a repo. */
  apiAnswers(repo: RepoId): string {
    return join(this.api, encodeURIComponent(repo.toLowerCase()))
  }

  /** Says which repo the name means, when that has another name. */
  rename(repo: RepoId): string {
    return join(this.renames, encodeURIComponent(repo))
  }
}
