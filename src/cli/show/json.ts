import type { Entry } from '../../model/entry.ts'
import { entrySize } from '../../model/entry.ts'

/** Prints what a command found out as one document. */
export function printJson(content: object): void {
  console.log(JSON.stringify({ schemaVersion: 1, ...content }, null, 2))
}

/** An entry in the documents of all commands. */
export function entryJson(entry: Entry): object {
  const { repo, revision, commit, hits, pinned, cachedDate, lastAccessDate, files, access, task = null } = entry
  return {
    ...{ repo, revision, commit, bytes: entrySize(entry), files: files.size },
    ...{ cachedDate, lastAccessDate, hits, pinned, access, task },
  }
}
