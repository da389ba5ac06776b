import { readFileSync, statSync } from 'node:fs'
import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../../model/errors.ts'
import type { RepoId } from '../../model/repo-id.ts'
import { type Commit, isCommit, parseRevision } from '../../model/revision.ts'
import { originals } from '../../platform/originals.ts'
import { isAbsent, writeAtomically } from './atomic-write.ts'
import type { RepoFolders, WritableFolders } from './layout.ts'
import { filesBelow, valid } from './list-folder.ts'
import { removeBelow, removeFile } from './remove-own.ts'

export interface Ref {
  commit: Commit
  /** Milliseconds since the Hub was asked; 0 for a revision that is a commit. */
  ageMs: number
}

/** The commit that a revision stood for when the Hub was last asked, or undefined. */
export async function readRef(folder: RepoFolders, repo: RepoId, revision: string): Promise<Ref | undefined> {
  if (isCommit(revision)) return { commit: revision, ageMs: 0 }
  const path = folder.ref(repo, revision)
  try {
    // At once: of so small a file most of the time would go into waiting for each of the steps.
    const commit = readFileSync(path, 'utf8').trim()
    const { mtimeMs } = statSync(path)
    return isCommit(commit) ? { commit, ageMs: Math.max(0, originals.now() - mtimeMs) } : undefined
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** All that lie there, with the revisions that they are of. What has no valid name or content is left out. */
export async function allRefs(folder: RepoFolders, repo: RepoId): Promise<(Ref & { revision: string })[]> {
  const refs: (Ref & { revision: string })[] = []
  for (const revision of await filesBelow(folder.ref(repo, ''))) {
    if (isCommit(revision) || !valid(() => parseRevision(revision, repo))) continue
    // A link that leads nowhere refers to no commit.
    const ref = await readRef(folder, repo, revision).catch(() => undefined)
    if (ref) refs.push({ ...ref, revision })
  }
  return refs
}

/** Records what the Hub answered, now or so many milliseconds ago. A commit needs no ref. */
export async function writeRef(
  folder: WritableFolders,
  repo: RepoId,
  revision: string,
  commit: Commit,
  ageMs?: number,
): Promise<void> {
  if (isCommit(revision)) return
  const path = folder.ref(repo, revision)
  await writeOver(folder, repo, revision, commit)
  if (ageMs === undefined) return
  const answered = (originals.now() - ageMs) / 1000
  await utimes(path, answered, answered)
}

async function writeOver(folder: WritableFolders, repo: RepoId, revision: string, commit: Commit): Promise<void> {
  const path = folder.ref(repo, revision)
  try {
    writeAtomically(path, commit, folder.cache.incoming)
  } catch (error) {
    // git has no branch `a` beside a branch `a/b`: the one that is in the way is gone from the repo.
    if (!['EEXIST', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY'].includes(systemCode(error) ?? '')) throw error
    await removeConflicting(folder, repo, revision)
    writeAtomically(path, commit, folder.cache.incoming)
  }
}

async function removeConflicting(folder: WritableFolders, repo: RepoId, revision: string): Promise<void> {
  const parts = revision.split('/')
  for (let length = 1; length < parts.length; length++) {
    const parent = folder.ref(repo, parts.slice(0, length).join('/'))
    if (holdsCommit(parent)) removeFile(folder.cache, parent)
  }
  const below = folder.ref(repo, revision)
  await removeBelow(folder.cache, below, (path) => holdsCommit(join(below, path)))
}

function holdsCommit(path: string): boolean {
  try {
    return isCommit(readFileSync(path, 'utf8').trim())
  } catch {
    // A folder, or nothing.
    return false
  }
}
