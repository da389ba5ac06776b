import { readFileSync, statSync } from 'node:fs'
import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../../../model/errors.ts'
import type { RepoId } from '../../../model/repo-id.ts'
import { type Commit, isCommit, parseRevision } from '../../../model/revision.ts'
import { originals } from '../../../platform/originals.ts'
import { isAbsent, writeAtomically } from '../atomic-write.ts'
import type { RepoFolders, WritableFolders } from '../layout.ts'
import { filesBelow, valid } from '../list-folder.ts'
import { removeBelow, removeFile } from '../remove-own.ts'

/** The commit that a revision refers to. */
export interface Ref {
  commit: Commit
  /** Milliseconds since the Hub was asked for it. 0 when the revision is a commit. */
  ageMs: number
}

/** The stored ref of a revision: the commit that it referred to when the Hub was last asked. Undefined when none is stored. */
export async function readRef(folder: RepoFolders, repo: RepoId, revision: string): Promise<Ref | undefined> {
  if (isCommit(revision)) return { commit: revision, ageMs: 0 }
  const path = folder.ref(repo, revision)
  try {
    // Synchronous, because with so small a file, waiting for each asynchronous step would take most of the time.
    const commit = readFileSync(path, 'utf8').trim()
    const { mtimeMs } = statSync(path)
    return isCommit(commit) ? { commit, ageMs: Math.max(0, originals.now() - mtimeMs) } : undefined
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** The ref that was asked for last. */
export function youngest(...refs: (Ref | undefined)[]): Ref | undefined {
  return refs.reduce((best, ref) => (best && (!ref || best.ageMs <= ref.ageMs) ? best : ref), undefined)
}

/** All stored refs of a repo, with their revisions. Files without a valid name or content are left out. */
export async function allRefs(folder: RepoFolders, repo: RepoId): Promise<(Ref & { revision: string })[]> {
  const refs: (Ref & { revision: string })[] = []
  for (const revision of await filesBelow(folder.ref(repo, ''))) {
    if (isCommit(revision) || !valid(() => parseRevision(revision, repo))) continue
    // A file that can't be read is no ref.
    const ref = await readRef(folder, repo, revision).catch(() => undefined)
    if (ref) refs.push({ ...ref, revision })
  }
  return refs
}

/** Stores the ref of a revision that the Hub stated, now or `ageMs` milliseconds ago. Stores nothing for a revision that is a commit. */
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
    // git can't have a branch `a` beside a branch `a/b`. So the conflicting ref is of a branch that was deleted in the repo.
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
    // The path is a folder, or does not exist.
    return false
  }
}
