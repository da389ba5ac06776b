import { utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { originals } from '../../platform/originals.ts'
import type { ArchivedModel } from '../archive/contents.ts'
import type { CacheContext } from '../context/context.ts'
import { importedOrigin } from '../store/answers/imported-answers.ts'
import { readRef, writeRef } from '../store/answers/refs.ts'
import { writeRename } from '../store/answers/renames.ts'
import { writeRepoInfo } from '../store/answers/repo-info.ts'
import { writeTree } from '../store/answers/trees.ts'
import { writeAtomically } from '../store/atomic-write.ts'
import { syncToDisk } from '../store/durable.ts'
import type { Origin } from '../store/origin.ts'

// What an archive states about a model is stored beside the endpoint's own answers. Both functions wait until it is on the disk.

/** Stores all files of the commit, and who may read the repo. */
export async function keepListing(context: CacheContext, archived: ArchivedModel): Promise<void> {
  const { repo, commit, listing, access, task } = archived
  const origin = originOf(context, archived)
  origin.writeEndpoint()
  if (listing) writeTree(origin, repo, commit, listing)
  writeRepoInfo(origin, repo, commit, { access, task })
  const written = [origin.mark, origin.repoInfo(repo, commit), ...(listing ? [origin.tree(repo, commit)] : [])]
  await sync([...written, origin.repo(repo), origin.hub])
}

/** Stores the revisions that refer to the commit, the former names of the repo, and answers of the API. */
export async function keepRefs(context: CacheContext, archived: ArchivedModel): Promise<void> {
  const { repo, commit, refs, names, answers } = archived
  const origin = originOf(context, archived)
  const written: string[] = []
  for (const [revision, at] of refs) {
    const before = await readRef(origin, repo, revision)
    // A younger archive was imported before.
    if (before && before.commit !== commit && before.ageMs < ageOf(at)) continue
    await writeRef(origin, repo, revision, commit)
    await setTime(origin.ref(repo, revision), at)
    written.push(origin.ref(repo, revision))
  }
  for (const name of names) if (name !== repo) writeRename(origin, name, repo)
  for (const [name, { at, ...answer }] of answers) {
    const path = join(origin.apiAnswers(repo), name)
    writeAtomically(path, JSON.stringify(answer), context.layout.incoming)
    await setTime(path, at)
  }
  await sync([...written, origin.renames])
}

function originOf({ layout, origin }: CacheContext, { endpoint }: ArchivedModel): Origin {
  return importedOrigin(layout, endpoint ?? origin.endpoint)
}

async function sync(paths: string[]): Promise<void> {
  for (const path of new Set([...paths, ...paths.map((path) => dirname(path))])) await syncToDisk(path)
}

async function setTime(path: string, at: number): Promise<void> {
  const seconds = Math.min(at, originals.now()) / 1000
  await utimes(path, seconds, seconds)
}

/** Milliseconds since a moment that another machine noted. Its clock may be ahead of ours. */
export function ageOf(at: number): number {
  return Math.max(0, originals.now() - at)
}
