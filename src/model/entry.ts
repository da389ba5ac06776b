import { createHash } from '../platform/late-crypto.ts'
import type { Digest } from './digest.ts'
import type { HubPath } from './hub-path.ts'
import type { RepoId } from './repo-id.ts'
import type { Commit } from './revision.ts'
import type { SnapshotId } from './snapshot.ts'

/** Who may read a repo. `unknown`: the entry was found on disk; it counts as private until the Hub states its access. */
export const ACCESS = ['public', 'gated', 'private', 'unknown'] as const
export type Access = (typeof ACCESS)[number]

export function isAccess(value: unknown): value is Access {
  return ACCESS.some((access) => access === value)
}

/** A file, with its modification time and inode when it was verified. Before that they are 0 and `0`. */
export interface EntryFile {
  /** Bytes. */
  size: number
  digest: Digest
  /**
   * The file's share of the download time, in milliseconds of wall-clock time. The shares of files that were downloaded
   * at the same time add up to that time. Null when the file was not downloaded (adopted, restored).
   */
  downloadMs: number | null
  mtimeMs: number
  ino: string
  /** Bytes of the skeleton beside the blob, for mapped loading. Absent while it has none, or while none was noted. */
  skeletonBytes?: number
  /** Set while the file is packed: the bytes that it takes in the pack files. Its blob is then not on disk, or not needed there. */
  packedBytes?: number
}

/** A requested selection, and the files that it resolved to. */
export interface EntrySelection {
  /** The key that `selectionKey` returns. */
  key: string
  files: HubPath[]
  /** True once a test requested it; false when only a warm-up did. */
  used: boolean
}

/** One cached model: a repo at one commit as one endpoint states it, and its files in the cache. */
export interface Entry {
  repo: RepoId
  /** The revision of the latest request. */
  revision: string
  commit: Commit
  /** The name of the folder below `snapshots/` that has its files. */
  snapshot: SnapshotId
  /** The Hub that stated its digests. Undefined when unknown: another tool wrote the files, or they were adopted offline. */
  endpoint: string | undefined
  access: Access
  /** The task that the repo's model card states. */
  task?: string
  /** The time of the download, ISO 8601. */
  cachedDate: string
  /** The time of the latest use, ISO 8601. */
  lastAccessDate: string
  hits: number
  pinned: boolean
  selections: EntrySelection[]
  files: Map<HubPath, EntryFile>
}

/** The fields that identify an entry. */
export type EntryId = Pick<Entry, 'repo' | 'snapshot'>

export function entryKey({ repo, snapshot }: EntryId): string {
  return `${repo}@${snapshot}`
}

/** The bytes that a file takes in the cache: the file and the skeleton beside it, or what it takes in the pack files. */
export function bytesOf({ size, skeletonBytes = 0, packedBytes }: EntryFile): number {
  return packedBytes ?? size + skeletonBytes
}

export function isPacked({ packedBytes }: EntryFile): boolean {
  return packedBytes !== undefined
}

/** True when at least one file of the entry is packed. */
export function hasPacked({ files }: Pick<Entry, 'files'>): boolean {
  return [...files.values()].some(isPacked)
}

/** The packed contents of an entry, by digest. Several files may have the same content. */
export function packedContents({ files }: Pick<Entry, 'files'>): Map<Digest, EntryFile> {
  return new Map([...files.values()].filter(isPacked).map((file) => [file.digest, file]))
}

/** The bytes that all files take in the cache. Content that several files share counts once. */
export function entrySize(entry: Entry): number {
  const seen = new Set<Digest>()
  let bytes = 0
  for (const file of entry.files.values()) {
    const { digest } = file
    if (!seen.has(digest)) bytes += bytesOf(file)
    seen.add(digest)
  }
  return bytes
}

/** sha256 over the lines `path NUL digest LF`, sorted by bytes. */
export function entryChecksum(entry: Entry): string {
  const lines = [...entry.files].map(([path, { digest }]) => Buffer.from(`${path}\0${digest}\n`)).sort(Buffer.compare)
  return createHash('sha256').update(Buffer.concat(lines)).digest('hex')
}

/** The recorded download time of these files, in milliseconds; null when the time of one of them is unknown. */
export function recordedDownloadMs(entry: Pick<Entry, 'files'>, paths: readonly HubPath[]): number | null {
  let total = 0
  for (const path of paths) {
    const ms = entry.files.get(path)?.downloadMs
    if (ms === undefined || ms === null) return null
    total += ms
  }
  return total
}

/** A deep copy: changes to the copy do not change the original. */
export function copyEntry(entry: Entry): Entry {
  return {
    ...entry,
    selections: entry.selections.map((selection) => ({ ...selection, files: [...selection.files] })),
    files: new Map([...entry.files].map(([path, file]) => [path, { ...file }])),
  }
}
