import { existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { nameOf } from '../../model/errors.ts'
import { parseRepoId, type RepoId } from '../../model/repo-id.ts'
import { originals } from '../../platform/originals.ts'
import { isAbsent, writeAtomically } from './atomic-write.ts'
import type { Layout } from './layout.ts'
import { entriesIn, valid } from './list-folder.ts'
import type { Origin } from './origin.ts'
import { mayRemove, removeFile } from './remove-own.ts'

/** The id under which the cache keeps a repo. */
export interface CurrentId {
  repo: RepoId
  /** Milliseconds since the Hub was asked where the name leads to; 0 for a name that leads nowhere else. */
  ageMs: number
}

// A repo that was renamed twice was asked for by each of its names. More would be a circle.
const MOST_RENAMES = 8

/**
 * Where a name leads to, by what is written in a folder of renames: the repo may have been renamed, or the name be written
 * in other letters than the repo's own. The folder is no part of `hub/`, where a folder for the old name would pass for
 * another repo.
 */
export function followRenames(folder: string, repo: RepoId): CurrentId {
  let current: CurrentId = { repo, ageMs: 0 }
  for (let renames = 0; renames < MOST_RENAMES; renames++) {
    const next = readRename(renamePath(folder, current.repo))
    // On a disk that ignores case, a name's own file may be that of another spelling.
    if (!next || next.repo === current.repo) break
    current = { repo: next.repo, ageMs: Math.max(current.ageMs, next.ageMs) }
  }
  return current
}

/** The names that lead to `current` at once. */
export function formerNames(folder: string, current: RepoId): RepoId[] {
  const names = entriesIn(folder).map(({ name }) => valid(() => parseRepoId(decodeURIComponent(name))))
  return names
    .filter((name) => name !== undefined)
    .filter((name) => readRename(renamePath(folder, name))?.repo === current)
}

/** Records what the Hub answered now: `current` is a name that leads nowhere else. */
export function writeRename({ renames, cache }: Origin, repo: RepoId, current: RepoId): void {
  removeRename(cache, renames, current)
  if (repo !== current) writeAtomically(renamePath(renames, repo), current, cache.incoming)
}

/** From now on the name leads nowhere else. */
export function removeRename(cache: Layout, folder: string, repo: RepoId): void {
  removeFile(cache, renamePath(folder, repo))
}

/** Moves what an earlier version stored of names to an endpoint's answers. A name that the endpoint gave since counts more. */
export function moveRenames(folder: string, { renames, cache }: Origin): void {
  for (const { name } of entriesIn(folder)) {
    const [before, after] = [join(folder, name), join(renames, name)]
    if (!readRename(before) || existsSync(after) || !mayRemove(cache, before)) continue
    try {
      mkdirSync(renames, { recursive: true, mode: 0o700 })
      renameSync(before, after)
    } catch (error) {
      // Another process was faster.
      if (!isAbsent(error)) throw error
    }
  }
}

function renamePath(folder: string, repo: RepoId): string {
  return join(folder, encodeURIComponent(repo))
}

function readRename(path: string): CurrentId | undefined {
  try {
    // At once, as refs are read; and nearly always there is none.
    const stats = statSync(path, { throwIfNoEntry: false })
    if (!stats) return undefined
    const name = readFileSync(path, 'utf8').trim()
    return { repo: parseRepoId(name), ageMs: Math.max(0, originals.now() - stats.mtimeMs) }
  } catch (error) {
    if (isAbsent(error)) return undefined
    // Damaged: as good as absent, the Hub is asked again.
    if (nameOf(error) === 'ModelCacheError') return undefined
    throw error
  }
}
