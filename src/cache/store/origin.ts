import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { originKey } from '../../model/origin-key.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import { isAbsent, writeAtomically } from './atomic-write.ts'
import { type Layout, RepoFolders } from './layout.ts'

/**
 * The folder with the stored answers of one endpoint: `origins/<key>/`. Each endpoint has its own folder, because an answer of one
 * endpoint about a repo, a commit or a digest is never trusted for another endpoint.
 */
export class Origin extends RepoFolders {
  readonly renames: string
  readonly api: string
  /** The path of the file that names the endpoint. */
  readonly mark: string

  constructor(
    readonly cache: Layout,
    readonly endpoint: string,
    /** The name of the folder. */
    key = originKey(endpoint),
  ) {
    super(join(cache.origins, key))
    this.renames = join(this.hub, 'renames')
    this.api = join(this.hub, 'api')
    this.mark = join(this.hub, ENDPOINT_FILE)
  }

  /** The path of the `RepoInfo` that the endpoint stated with this commit. */
  repoInfo(repo: RepoId, commit: Commit): string {
    return join(this.repo(repo), 'about', `${commit}.json`)
  }

  /** The folder of the API's answers about a repo. */
  apiAnswers(repo: RepoId): string {
    return join(this.api, apiFolderOf(repo))
  }

  /** Writes the file that names the endpoint, unless it does so already. */
  writeEndpoint(): void {
    if (readEndpoint(this.hub) !== this.endpoint) writeAtomically(this.mark, this.endpoint, this.cache.incoming)
  }
}

const ENDPOINT_FILE = 'endpoint'

/** The name of a repo's folder of API answers. */
export function apiFolderOf(repo: RepoId): string {
  return encodeURIComponent(repo.toLowerCase())
}

/** The endpoint that a folder of `origins/` names. Undefined when it names none. */
export function readEndpoint(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, ENDPOINT_FILE), 'utf8')
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}
