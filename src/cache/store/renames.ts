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
export interface Home {
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
export function readHome(folder: string, repo: RepoId): Home {
  let home: Home = { repo, ageMs: 0 }
  for (let renames = 0; renames < MOST_RENAMES; renames++) {
    const next = readRename(renamePath(folder, home.repo))
    // On a disk that ignores case, a name's own file may be that of another spelling.
    if (!next || next.repo === home.repo) break
    home = { repo: next.repo, ageMs: Math.max(home.ageMs, next.ageMs) }
  }
  return home
}

/** The names that lead to `home` at once. */
export function formerNames(folder: string, home: RepoId): RepoId[] {
  const names = entriesIn(folder).map(({ name }) => valid(() => parseRepoId(decodeURIComponent(name))))
  return names
    .filter((name) => name !== undefined)
    .filter((name) => readRename(renamePath(folder, name))?.repo === home)
}

/** Records what the Hub answered now: `home` is a name that leads nowhere else. */
export function writeHome({ renames, cache }: Origin, repo: RepoId, home: RepoId): void {
  forgetHome(cache, renames, home)
  if (repo !== home) writeAtomically(renamePath(renames, repo), home, cache.incoming)
}

/** From now on the name leads nowhere else. */
export function forgetHome(cache: Layout, folder: string, repo: RepoId): void {
  removeFile(cache, renamePath(folder, repo))
}

/** Moves what an earlier version stored of names to an endpoint's answers. A name that the endpoint gave since counts more. */
export function moveHomes(folder: string, { renames, cache }: Origin): void {
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

function readRename(path: string): Home | undefined {
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
