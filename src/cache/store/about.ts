import { readFileSync } from 'node:fs'
import { type Access, isAccess } from '../../model/entry.ts'
import { nameOf } from '../../model/errors.ts'
import { isObject, isText } from '../../model/json.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import { isAbsent, writeAtomically } from './atomic-write.ts'
import type { Origin } from './origin.ts'

/** What an endpoint said of a repo, beside its files. */
export interface About {
  access: Access
  /** The task of the repo's card. */
  task?: string
}

/** Undefined when the endpoint was not asked, or what it said can't be read any more. */
export function readAbout(origin: Origin, repo: RepoId, commit: Commit): About | undefined {
  try {
    const about: unknown = JSON.parse(readFileSync(origin.about(repo, commit), 'utf8'))
    if (!isObject(about) || !isAccess(about.access)) return undefined
    const { access, task } = about
    return isText(task) ? { access, task } : { access }
  } catch (error) {
    if (isAbsent(error) || nameOf(error) === 'SyntaxError') return undefined
    throw error
  }
}

export function writeAbout(origin: Origin, repo: RepoId, commit: Commit, { access, task }: About): void {
  writeAtomically(origin.about(repo, commit), JSON.stringify({ access, task }), origin.cache.incoming)
}
