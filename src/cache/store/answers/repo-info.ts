import { readFileSync } from 'node:fs'
import { type Access, isAccess } from '../../../model/entry.ts'
import { nameOf } from '../../../model/errors.ts'
import { isObject, isText } from '../../../model/json.ts'
import type { RepoId } from '../../../model/repo-id.ts'
import type { Commit } from '../../../model/revision.ts'
import { isAbsent, writeAtomically } from '../atomic-write.ts'
import type { Origin } from '../origin.ts'

/** What an endpoint stated about a repo in addition to the listing of its files. */
export interface RepoInfo {
  access: Access
  /** The task that the repo's model card names. */
  task?: string
}

/** The stored information about a repo. Undefined when none is stored, or when the file is damaged. */
export function readRepoInfo(origin: Origin, repo: RepoId, commit: Commit): RepoInfo | undefined {
  try {
    const info: unknown = JSON.parse(readFileSync(origin.repoInfo(repo, commit), 'utf8'))
    if (!isObject(info) || !isAccess(info.access)) return undefined
    const { access, task } = info
    return isText(task) ? { access, task } : { access }
  } catch (error) {
    if (isAbsent(error) || nameOf(error) === 'SyntaxError') return undefined
    throw error
  }
}

/** Stores what the endpoint stated about the repo with this commit. */
export function writeRepoInfo(origin: Origin, repo: RepoId, commit: Commit, { access, task }: RepoInfo): void {
  writeAtomically(origin.repoInfo(repo, commit), JSON.stringify({ access, task }), origin.cache.incoming)
}
