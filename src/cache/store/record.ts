import * as v from 'valibot'
import { isDigest } from '../../model/digest.ts'
import { ACCESS, type Entry, type EntryFile, type EntrySelection, entryChecksum, entrySize } from '../../model/entry.ts'
import { type HubPath, parseHubPath } from '../../model/hub-path.ts'
import { modelNameOf, parseRepoId } from '../../model/repo-id.ts'
import { parseCommit, parseRevision } from '../../model/revision.ts'

const VERSION = '1.0'

const date = v.pipe(
  v.string(),
  v.check((text) => !Number.isNaN(Date.parse(text))),
)
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const Schema = v.object({
  version: v.literal(VERSION),
  originalURL: v.string(),
  cachedDate: date,
  lastAccessDate: date,
  repo: v.string(),
  revision: v.string(),
  commit: v.string(),
  access: v.picklist(ACCESS),
  task: v.optional(v.string()),
  hits: count,
  pinned: v.boolean(),
  selections: v.array(v.object({ key: v.string(), files: v.array(v.string()), used: v.boolean() })),
  files: v.record(
    v.string(),
    v.object({
      size: count,
      digest: v.custom<EntryFile['digest']>((digest) => typeof digest === 'string' && isDigest(digest)),
      downloadMs: v.nullable(v.number()),
      mtimeMs: v.number(),
      ino: v.string(),
    }),
  ),
})

/** An entry as it stands in `cache_metadata.json`. */
export function toRecord(entry: Entry): object {
  const { repo, commit, endpoint, files, cachedDate, lastAccessDate, ...rest } = entry
  return {
    modelName: modelNameOf(repo),
    originalURL: `${endpoint}/${repo}/tree/${commit}`,
    checksum: entryChecksum(entry),
    cachedDate,
    lastAccessDate,
    size: entrySize(entry),
    version: VERSION,
    isCompressed: false,
    repo,
    commit,
    ...rest,
    files: Object.fromEntries(files),
  }
}

/** True for a record that another version wrote and this one can't read: it is kept as it stands. */
export function isOfNewerVersion(record: unknown): boolean {
  const version = typeof record === 'object' && record !== null && 'version' in record ? record.version : undefined
  return typeof version === 'string' && Number(version) > Number(VERSION)
}

/** Reads a record, trusting nothing in it: undefined when a field is missing or malformed, or a path unsafe. */
export function fromRecord(record: unknown): Entry | undefined {
  const result = v.safeParse(Schema, record)
  if (!result.success) return undefined
  const { originalURL, files, selections, version: _, ...fields } = result.output
  try {
    const asked = 'cache_metadata.json'
    const repo = parseRepoId(fields.repo)
    const commit = parseCommit(fields.commit, asked)
    const suffix = `/${repo}/tree/${commit}`
    if (!originalURL.endsWith(suffix)) return undefined
    return {
      ...fields,
      repo,
      commit,
      revision: parseRevision(fields.revision, asked),
      endpoint: originalURL.slice(0, -suffix.length),
      selections: selections.map(
        (selection): EntrySelection => ({
          ...selection,
          files: selection.files.map((path) => parseHubPath(path, asked)),
        }),
      ),
      files: new Map(
        Object.entries(files).map(([path, file]): [HubPath, EntryFile] => [parseHubPath(path, asked), file]),
      ),
    }
  } catch {
    // A name that is no repo id, commit or safe path: the record is not ours or was tampered with.
    return undefined
  }
}
