import { createHash } from 'node:crypto'
import type { Digest } from './digest.ts'
import type { HubPath } from './hub-path.ts'
import type { RepoId } from './repo-id.ts'
import type { Commit } from './revision.ts'
import type { SnapshotId } from './snapshot.ts'

/** Who may read a repo. `unknown`: found on disk, treated as private until the Hub was asked. */
export const ACCESS = ['public', 'gated', 'private', 'unknown'] as const
export type Access = (typeof ACCESS)[number]

export function isAccess(value: unknown): value is Access {
  return ACCESS.some((access) => access === value)
}

/** A file that was verified, and how the file system described it then. */
export interface EntryFile {
  /** Bytes. */
  size: number
  digest: Digest
  /**
   * Its share of the time by the clock in which it and others were downloaded: those of files that came at once add up to it.
   * Null when it never was: adopted, restored.
   */
  downloadMs: number | null
  mtimeMs: number
  ino: string
}

/** A selection that was asked for, and the files that it came to. */
export interface EntrySelection {
  /** See `selectionKey`. */
  key: string
  files: HubPath[]
  /** True once a test asked for it; false when only a warm-up did. */
  used: boolean
}

/** One cached model: a repo at one commit as one endpoint states it, and what is there of it. */
export interface Entry {
  repo: RepoId
  /** The revision by which it was last asked for. */
  revision: string
  commit: Commit
  /** Where its files lie. */
  snapshot: SnapshotId
  /** The Hub that stated its digests. Undefined when that is not known: another tool wrote it, or it was adopted offline. */
  endpoint: string | undefined
  access: Access
  /** The task of the repo's card. */
  task?: string
  /** ISO 8601. */
  cachedDate: string
  /** ISO 8601. */
  lastAccessDate: string
  hits: number
  pinned: boolean
  selections: EntrySelection[]
  files: Map<HubPath, EntryFile>
}

/** What says which entry it is. */
export type EntryId = Pick<Entry, 'repo' | 'snapshot'>

export function entryKey({ repo, snapshot }: EntryId): string {
  return `${repo}@${snapshot}`
}

/** Bytes of all its files; what two of them share counts once. */
export function entrySize(entry: Entry): number {
  const seen = new Set<Digest>()
  let bytes = 0
  for (const { digest, size } of entry.files.values()) {
    if (!seen.has(digest)) bytes += size
    seen.add(digest)
  }
  return bytes
}

/** sha256 over the lines `path NUL digest LF`, sorted by bytes. */
export function entryChecksum(entry: Entry): string {
  const lines = [...entry.files].map(([path, { digest }]) => Buffer.from(`${path}\0${digest}\n`)).sort(Buffer.compare)
  return createHash('sha256').update(Buffer.concat(lines)).digest('hex')
}

/** What was recorded of the download of these files, in milliseconds; null when one of them is unknown. */
export function recordedDownloadMs(entry: Pick<Entry, 'files'>, paths: readonly HubPath[]): number | null {
  let total = 0
  for (const path of paths) {
    const ms = entry.files.get(path)?.downloadMs
    if (ms === undefined || ms === null) return null
    total += ms
  }
  return total
}

/** Another of the same content. */
export function copyEntry(entry: Entry): Entry {
  return {
    ...entry,
    selections: entry.selections.map((selection) => ({ ...selection, files: [...selection.files] })),
    files: new Map([...entry.files].map(([path, file]) => [path, { ...file }])),
  }
}
