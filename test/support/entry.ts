import type { Entry } from '../../src/model/entry.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { parseCommit } from '../../src/model/revision.ts'
import { snapshotOf } from '../../src/model/snapshot.ts'

/** An entry of `org/name` without files; `parts` override its fields. */
export function entryWith(parts: Partial<Entry> = {}): Entry {
  const commit = parts.commit ?? parseCommit('0123456789abcdef0123456789abcdef01234567', 'a test')
  return {
    repo: parseRepoId('org/name'),
    revision: 'main',
    commit,
    snapshot: snapshotOf(commit),
    endpoint: 'https://huggingface.co',
    access: 'public',
    cachedDate: '2026-01-15T10:30:00.000Z',
    lastAccessDate: '2026-01-15T10:30:00.000Z',
    hits: 0,
    pinned: false,
    selections: [],
    files: new Map(),
    ...parts,
  }
}
