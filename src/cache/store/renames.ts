import { readFileSync, statSync } from 'node:fs'
import { nameOf, systemCode } from '../../model/errors.ts'
import { parseRepoId, type RepoId } from '../../model/repo-id.ts'
import { originals } from '../../platform/originals.ts'
import { writeAtomically } from './atomic-write.ts'
import type { Layout } from './layout.ts'
import { removeFile } from './remove-own.ts'
import { entriesIn, valid } from './snapshot-files.ts'

/** The id under which the cache keeps a repo. */
export interface Home {
  repo: RepoId
  /** Milliseconds since the Hub was asked where the name leads to; 0 for a name that leads nowhere else. */
  ageMs: number
}

// A repo that was renamed twice was asked for by each of its names. More would be a circle.
const MOST_RENAMES = 8

/**
 * Where a name leads to: the repo may have been renamed, or the name be written in other letters than the repo's own. It
 * stands beside `hub/` and not in it, where a folder for the old name would pass for another repo.
 */
export async function readHome(layout: Layout, repo: RepoId): Promise<Home> {
  let home: Home = { repo, ageMs: 0 }
  for (let renames = 0; renames < MOST_RENAMES; renames++) {
    const next = readRename(layout, home.repo)
    // On a disk that ignores case, a name's own file may be that of another spelling.
    if (!next || next.repo === home.repo) break
    home = { repo: next.repo, ageMs: Math.max(home.ageMs, next.ageMs) }
  }
  return home
}

/** The names that lead to `home` at once. */
export function formerNames(layout: Layout, home: RepoId): RepoId[] {
  const names = entriesIn(layout.renames).map(({ name }) => valid(() => parseRepoId(decodeURIComponent(name))))
  return names.filter((name) => name !== undefined).filter((name) => readRename(layout, name)?.repo === home)
}

/** Records what the Hub answered now: `home` is a name that leads nowhere else. */
export async function writeHome(layout: Layout, repo: RepoId, home: RepoId): Promise<void> {
  removeFile(layout, layout.rename(home))
  if (repo !== home) writeAtomically(layout.rename(repo), home)
}

function readRename(layout: Layout, repo: RepoId): Home | undefined {
  const path = layout.rename(repo)
  try {
    // At once, as refs are read; and nearly always there is none.
    const stats = statSync(path, { throwIfNoEntry: false })
    if (!stats) return undefined
    const name = readFileSync(path, 'utf8').trim()
    return { repo: parseRepoId(name), ageMs: Math.max(0, originals.now() - stats.mtimeMs) }
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined
    // Damaged: as good as absent, the Hub is asked again.
    if (nameOf(error) === 'ModelCacheError') return undefined
    throw error
  }
}
