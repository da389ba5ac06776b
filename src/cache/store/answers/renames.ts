import { existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { nameOf } from '../../../model/errors.ts'
import { parseRepoId, type RepoId } from '../../../model/repo-id.ts'
import { originals } from '../../../platform/originals.ts'
import { isAbsent, writeAtomically } from '../atomic-write.ts'
import type { Layout } from '../layout.ts'
import { entriesIn, valid } from '../list-folder.ts'
import type { Origin } from '../origin.ts'
import { mayRemove, removeFile } from '../remove-own.ts'

/** The current id of a repo. The cache keeps the repo's files under it. */
export interface CurrentId {
  repo: RepoId
  /** Milliseconds since the Hub stated that the name refers to this id. 0 when no rename is stored. */
  ageMs: number
}

// A repo can be renamed several times. A longer chain is taken for a circle.
const MOST_RENAMES = 8

/**
 * The current id of the repo that a name refers to, by the renames that are stored in `folder`. The repo may have been renamed, or the
 * name may differ from the repo's id in case. Renames are not stored in `hub/`: there a folder for the old name would be taken for
 * another repo.
 */
export function followRenames(folder: string, repo: RepoId): CurrentId {
  let current: CurrentId = { repo, ageMs: 0 }
  for (let renames = 0; renames < MOST_RENAMES; renames++) {
    const next = readRename(renamePath(folder, current.repo))
    // On a disk that ignores case, the id's own path may be the file of another spelling.
    if (!next || next.repo === current.repo) break
    current = { repo: next.repo, ageMs: Math.max(current.ageMs, next.ageMs) }
  }
  return current
}

/** The names whose stored rename refers to `current` directly. */
export function formerNames(folder: string, current: RepoId): RepoId[] {
  const names = entriesIn(folder).map(({ name }) => valid(() => parseRepoId(decodeURIComponent(name))))
  return names
    .filter((name) => name !== undefined)
    .filter((name) => readRename(renamePath(folder, name))?.repo === current)
}

/** Stores that the Hub stated `current` as the repo's id just now. A rename of `current` itself is removed. */
export function writeRename({ renames, cache }: Origin, repo: RepoId, current: RepoId): void {
  removeRename(cache, renames, current)
  if (repo !== current) writeAtomically(renamePath(renames, repo), current, cache.incoming)
}

/** Removes the stored rename of a name. */
export function removeRename(cache: Layout, folder: string, repo: RepoId): void {
  removeFile(cache, renamePath(folder, repo))
}

/** Moves the renames that an earlier version stored to an endpoint's answers. A rename that is stored there already is kept. */
export function moveRenames(folder: string, { renames, cache }: Origin): void {
  for (const { name } of entriesIn(folder)) {
    const [before, after] = [join(folder, name), join(renames, name)]
    if (!readRename(before) || existsSync(after) || !mayRemove(cache, before)) continue
    try {
      mkdirSync(renames, { recursive: true, mode: 0o700 })
      renameSync(before, after)
    } catch (error) {
      // Another process moved it first.
      if (!isAbsent(error)) throw error
    }
  }
}

function renamePath(folder: string, repo: RepoId): string {
  return join(folder, encodeURIComponent(repo))
}

function readRename(path: string): CurrentId | undefined {
  try {
    // Synchronous, as in `readRef`. Nearly always there is no file.
    const stats = statSync(path, { throwIfNoEntry: false })
    if (!stats) return undefined
    const name = readFileSync(path, 'utf8').trim()
    return { repo: parseRepoId(name), ageMs: Math.max(0, originals.now() - stats.mtimeMs) }
  } catch (error) {
    if (isAbsent(error)) return undefined
    // A damaged file counts as absent: the Hub is asked again.
    if (nameOf(error) === 'ModelCacheError') return undefined
    throw error
  }
}
