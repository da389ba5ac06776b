import { createHash } from 'node:crypto'
import { type Content, contentOf, type FileSource } from './content.ts'
import { filesUnder } from './directory.ts'
import { type RepoEntry, storeEntry } from './entry.ts'

export interface RepoOptions {
  /** Paths inside the repo, with forward slashes. */
  files?: Record<string, FileSource>
  /** Every file under this folder, at its path relative to it. Symlinks are followed. */
  directory?: string
  /** Everything but an authorized request is told that the repo does not exist. */
  private?: boolean
  /** Anyone may list the repo, but only an authorized request may have its files. */
  gated?: false | 'auto' | 'manual'
  pipelineTag?: string
  libraryName?: string
  tags?: string[]
  /** Files above this many bytes are stored with LFS, and so served by the CDN. Weights always are. */
  lfsThreshold?: number
  /** The id of the first commit, in place of one that follows from the content. */
  commit?: string
}

export interface CommitChange {
  files?: Record<string, FileSource>
  delete?: string[]
  /** Starts at the head of `main` when it does not exist yet. */
  branch?: string
}

export interface CommitInfo {
  id: string
  title: string
  date: string
}

export type Files = ReadonlyMap<string, RepoEntry>

/** One model repository: commits, and the branches and tags that name them. */
export class Repository {
  name: string
  readonly options: RepoOptions
  /** What the Hub calls `_id`: stays the same when the repo is renamed. */
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

  /** Files that are not named stay as they are. Gives back the new commit. */
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

  /** The commit that a branch, a tag, a full ref, a commit or the first 7 or more digits of one means. */
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

  /** The same name and the same history give the same commit, so a test can rely on it. */
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
