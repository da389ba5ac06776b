import { createHash } from 'node:crypto'
import { type Content, contentOf, type FileSource } from './content.ts'
import { filesUnder } from './directory.ts'
import { type RepoEntry, storeEntry } from './entry.ts'

export interface RepoOptions {
  /** Files by path inside the repo, with forward slashes. */
  files?: Record<string, FileSource>
  /** A folder whose files are added at their relative paths. Symlinks are followed. */
  directory?: string
  /** For requests without access, the repo does not exist. */
  private?: boolean
  /** Everybody may list the repo, but only requests with access may download its files. */
  gated?: false | 'auto' | 'manual'
  pipelineTag?: string
  libraryName?: string
  tags?: string[]
  /** Larger files (in bytes) are stored with LFS, and so served by the CDN. Weights always are. */
  lfsThreshold?: number
  /** The id of the first commit. Default: computed from the content. */
  commit?: string
}

export interface CommitChange {
  files?: Record<string, FileSource>
  delete?: string[]
  /** A new branch starts at the head of `main`. */
  branch?: string
}

export interface CommitInfo {
  id: string
  title: string
  date: string
}

export type Files = ReadonlyMap<string, RepoEntry>

/** One model repository: its commits, branches and tags. */
export class Repository {
  name: string
  readonly options: RepoOptions
  /** The Hub's `_id`, which stays the same when the repo is renamed. */
  readonly id: string
  private readonly commits = new Map<string, { info: CommitInfo; files: Files }>()
  private readonly branches = new Map<string, string>()
  private readonly tags = new Map<string, string>()
  private readonly keepLfs: (sha256: string, content: Content) => void

  constructor(name: string, options: RepoOptions, keepLfs: (sha256: string, content: Content) => void) {
    this.name = name
    this.options = options
    this.id = sha1(name).slice(0, 24)
    this.keepLfs = keepLfs
    const fromDirectory = options.directory === undefined ? {} : filesUnder(options.directory)
    this.addCommit({ files: { ...fromDirectory, ...options.files } })
  }

  /** The head of `main`. */
  get commit(): string {
    return this.commitOf('main')
  }

  /** Adds a commit; files that are not named are unchanged. Returns the id of the new commit. */
  addCommit({ files = {}, delete: deleted = [], branch = 'main' }: CommitChange): string {
    const parent = this.branches.get(branch) ?? this.branches.get('main')
    const next = new Map(parent === undefined ? [] : this.filesAt(parent))
    for (const path of deleted) {
      if (!next.delete(path)) throw new Error(`${this.name} has no ${path} to delete on ${branch}`)
    }
    const stored = Object.entries(files)
      .sort(byPath)
      .map(([path, source]) => storeEntry(path, contentOf(source), this.options.lfsThreshold))
    const info = this.describeCommit(parent, [...stored.map(({ path, oid }) => [path, oid]), ...deleted])
    for (const entry of stored) {
      next.set(entry.path, { ...entry, lastCommit: info })
      if (entry.lfs) this.keepLfs(entry.lfs.oid, entry.content)
    }
    this.commits.set(info.id, { info, files: new Map([...next].sort(byPath)) })
    this.branches.set(branch, info.id)
    return info.id
  }

  /** Creates or moves a tag. */
  tag(name: string, revision = 'main'): void {
    this.tags.set(name, this.commitOf(revision))
  }

  /** Creates or moves a branch, or a ref such as `refs/pr/1`. */
  branch(name: string, revision = 'main'): void {
    this.branches.set(name, this.commitOf(revision))
  }

  /** The commit of a branch, a tag, a full ref, a commit, or at least the first 7 digits of a commit. */
  resolve(revision: string): string | undefined {
    const short = revision.replace(/^refs\/(heads|tags)\//, '')
    const named = short === 'HEAD' ? this.branches.get('main') : (this.branches.get(short) ?? this.tags.get(short))
    if (named !== undefined || this.commits.has(revision)) return named ?? revision
    if (!/^[0-9a-f]{7,39}$/.test(revision)) return undefined
    return [...this.commits.keys()].find((commit) => commit.startsWith(revision))
  }

  filesAt(commit: string): Files {
    return this.commitAt(commit).files
  }

  infoAt(commit: string): CommitInfo {
    return this.commitAt(commit).info
  }

  totalBytes(revision = 'main'): number {
    return [...this.filesAt(this.commitOf(revision)).values()].reduce((sum, { content }) => sum + content.size, 0)
  }

  private commitOf(revision: string): string {
    const commit = this.resolve(revision)
    if (commit === undefined) throw new Error(`${this.name} has no revision ${revision}`)
    return commit
  }

  private commitAt(commit: string): { info: CommitInfo; files: Files } {
    const found = this.commits.get(commit)
    if (found === undefined) throw new Error(`${this.name} has no commit ${commit}`)
    return found
  }

  /** Repos with the same name and history have the same commit ids, so that tests can rely on them. */
  private describeCommit(parent: string | undefined, change: unknown[]): CommitInfo {
    const minutes = this.commits.size
    return {
      id: (parent === undefined && this.options.commit) || sha1(JSON.stringify([this.id, parent, change, minutes])),
      title: parent === undefined ? 'initial commit' : 'Update files',
      date: new Date(Date.UTC(2024, 0, 1, 0, minutes)).toISOString(),
    }
  }
}

function byPath([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex')
}
