import type { Entry } from '../../model/entry.ts'
import { entrySize, hasPacked } from '../../model/entry.ts'
import { printableJson } from '../../model/printable.ts'
import { printLines } from './print.ts'

/** Prints the result of a command as one JSON document. */
export function printJson(content: object): void {
  printLines(printableJson({ schemaVersion: 1, ...content }))
}

/** The fields of an entry in the JSON documents of all commands. */
export function entryJson(entry: Entry): object {
  const {
    repo,
    revision,
    commit,
    hits,
    pinned,
    cachedDate,
    lastAccessDate,
    files,
    access,
    task = null,
    endpoint = null,
  } = entry
  return {
    ...{ repo, revision, commit, bytes: entrySize(entry), files: files.size },
    ...{ cachedDate, lastAccessDate, hits, pinned, isPacked: hasPacked(entry), access, task, endpoint },
  }
}
