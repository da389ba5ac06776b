import { isDigest } from '../../../model/digest.ts'
import {
  type Entry,
  type EntryFile,
  type EntrySelection,
  entryChecksum,
  entrySize,
  hasPacked,
  isAccess,
} from '../../../model/entry.ts'
import { type HubPath, parseHubPath } from '../../../model/hub-path.ts'
import { type Fields, isCount, isObject, isText, isTexts } from '../../../model/json.ts'
import { modelNameOf, parseRepoId } from '../../../model/repo-id.ts'
import { parseCommit, parseRevision } from '../../../model/revision.ts'
import { isSnapshotId, snapshotOf, snapshotsOf } from '../../../model/snapshot.ts'

const VERSION = '1.0'
// Versions without packed models keep such a record and do not read it. For them the model is not cached.
const VERSION_IF_PACKED = '1.1'

/** The record of an entry in `cache_metadata.json`. */
export function toRecord(entry: Entry): object {
  const { repo, commit, snapshot, endpoint = '', files, cachedDate, lastAccessDate, ...rest } = entry
  const isPacked = hasPacked(entry)
  return {
    modelName: modelNameOf(repo),
    originalURL: `${endpoint}/${repo}/tree/${commit}`,
    checksum: entryChecksum(entry),
    cachedDate,
    lastAccessDate,
    size: entrySize(entry),
    version: isPacked ? VERSION_IF_PACKED : VERSION,
    isCompressed: isPacked,
    repo,
    commit,
    ...(snapshot !== snapshotOf(commit) && { snapshot }),
    ...rest,
    files: Object.fromEntries(files),
  }
}

/** True for a record of a newer version. This version can't read it, and keeps it unchanged. */
export function isOfNewerVersion(record: unknown): boolean {
  const version = typeof record === 'object' && record !== null && 'version' in record ? record.version : undefined
  return typeof version === 'string' && Number(version) > Number(VERSION_IF_PACKED)
}

// These keys would change an object's prototype when it is copied, or hide a property that every object inherits.
const PROTOTYPES = new Set(['__proto__', 'prototype', 'constructor'])
const ASKED = 'cache_metadata.json'
const UNVERIFIED = { mtimeMs: 0, ino: '0' }

/**
 * Validates a record and makes an entry of it. Undefined when a field is missing or malformed, or a path is unsafe. Written by hand
 * and not as a schema: each command reads all records, and with a thousand records the schema library would take most of its time.
 */
export function fromRecord(record: unknown): Entry | undefined {
  if (!isObject(record) || (record.version !== VERSION && record.version !== VERSION_IF_PACKED)) return undefined
  try {
    return readEntry(record)
  } catch {
    // A field is no valid repo id, commit or safe path: the record is not ours, or was changed.
    return undefined
  }
}

/** Undefined for a missing or malformed field. Throws for an invalid repo id, commit, revision or path. */
function readEntry(record: Fields): Entry | undefined {
  const { cachedDate, lastAccessDate, access, task, hits, pinned, originalURL } = record
  if (!isDate(cachedDate) || !isDate(lastAccessDate) || !isAccess(access) || !isCount(hits)) return undefined
  if (typeof pinned !== 'boolean' || (task !== undefined && !isText(task))) return undefined
  if (!isText(record.repo) || !isText(record.commit) || !isText(record.revision)) return undefined
  const repo = parseRepoId(record.repo)
  const commit = parseCommit(record.commit, ASKED)
  const revision = parseRevision(record.revision, ASKED)
  const suffix = `/${repo}/tree/${commit}`
  if (!isText(originalURL) || !originalURL.endsWith(suffix)) return undefined
  const endpoint = originalURL.slice(0, -suffix.length) || undefined
  const snapshot = record.snapshot ?? snapshotOf(commit)
  // Any other folder name could be the snapshot of another entry.
  if (!isText(snapshot) || !isSnapshotId(snapshot) || !snapshotsOf(commit, endpoint).includes(snapshot))
    return undefined
  const selections = readSelections(record.selections)
  const files = readFiles(record.files)
  if (!selections || !files) return undefined
  const known = { repo, revision, commit, snapshot, endpoint, access, cachedDate, lastAccessDate, hits, pinned }
  return task === undefined ? { ...known, selections, files } : { ...known, task, selections, files }
}

function readSelections(records: unknown): EntrySelection[] | undefined {
  if (!Array.isArray(records)) return undefined
  const selections: EntrySelection[] = []
  for (const record of records) {
    if (!isObject(record)) return undefined
    const { key, files, used } = record
    if (!isText(key) || !isTexts(files) || typeof used !== 'boolean') return undefined
    selections.push({ key, files: files.map((path) => parseHubPath(path, ASKED)), used })
  }
  return selections
}

function readFiles(records: unknown): Map<HubPath, EntryFile> | undefined {
  if (!isObject(records)) return undefined
  const files = new Map<HubPath, EntryFile>()
  for (const path of Object.keys(records)) {
    if (PROTOTYPES.has(path)) continue
    const file = readFile(records[path])
    if (!file) return undefined
    files.set(parseHubPath(path, ASKED), file)
  }
  return files
}

function readFile(record: unknown): EntryFile | undefined {
  if (!isObject(record)) return undefined
  const { size, digest, downloadMs, mtimeMs, ino, skeletonBytes, packedBytes } = record
  if (!isCount(size) || !isText(digest) || !isDigest(digest) || !isText(ino)) return undefined
  if (!isNumber(mtimeMs) || (downloadMs !== null && !isNumber(downloadMs))) return undefined
  const known = { size, digest, downloadMs, mtimeMs, ino }
  // Where it is packed, the file has no stamp: a file that another tool put there has to be verified.
  if (isCount(packedBytes)) return { ...known, ...UNVERIFIED, packedBytes }
  return { ...known, ...(isCount(skeletonBytes) && { skeletonBytes }) }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && !Number.isNaN(value)
}

function isDate(value: unknown): value is string {
  return isText(value) && !Number.isNaN(Date.parse(value))
}
