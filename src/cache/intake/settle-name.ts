import { rename } from 'node:fs/promises'
import { fetchModel } from '../../hub/api.ts'
import type { HubAccess } from '../../hub/http.ts'
import { type Entry, entryKey } from '../../model/entry.ts'
import { systemCode } from '../../model/errors.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import type { CacheContext } from '../context/context.ts'
import { formerNames, removeRename, writeRename } from '../store/answers/renames.ts'
import { stampOf } from '../store/blobs.ts'
import { leasedEntries } from '../store/locks/leases.ts'
import type { Origin } from '../store/origin.ts'
import { withFreeRepoLock } from '../store/removal/aside.ts'

/**
 * Returns the id under which the cache stores the repo whose id at the Hub is `now`. A folder with the old id is moved to the new
 * one. While a run uses the folder, it is not moved, and the repo keeps its old id in the cache. Called under the lock of `held`.
 */
export async function settleName(context: CacheContext, asked: RepoId, held: RepoId, now: RepoId): Promise<RepoId> {
  // When `asked` differs from `held`, it is a stored former name of `held`. If the Hub now answers with a third id, `held` is another
  // repo, and its folder is not moved.
  const stays = asked === held && now !== held && !(await move(context, held, now, now))
  const current = stays ? held : now
  storeRename(context, asked, current)
  return current
}

/**
 * Finds a repo that is cached by its former name, so that a user who changes to the new name does not download it again. A
 * commit belongs to one repo, so the Hub is asked only when another cached repo has the same commit. Called under the lock of
 * `repo`.
 */
export async function adoptFormerName(
  context: CacheContext,
  hub: HubAccess,
  { repo, commit, signal }: { repo: RepoId; commit: Commit; signal?: AbortSignal },
): Promise<void> {
  const { layout } = context
  if (stampOf(layout.repo(repo))) return
  const metadata = await context.metadata()
  // This endpoint must not learn the names of repos of another endpoint.
  const own = [...(await metadata.all()).values()].filter(({ endpoint }) => endpoint === hub.endpoint)
  const twins = own.filter((entry) => entry.commit === commit && entry.repo !== repo)
  for (const { repo: former } of twins) {
    const asked = `Model ${former}`
    // This only saves a download. When the Hub can't be asked, or has no such repo, the two count as different repos.
    const now = await fetchModel(hub, { repo: former, revision: commit, asked, signal }).catch(() => undefined)
    if (now?.repo === repo && (await move(context, former, repo, former))) return storeRename(context, former, repo)
  }
}

/**
 * Finishes moves to this name that a kill or a loss of power interrupted. Until a move is finished, no process finds the files that
 * are cached by the former name. Called under the lock of `repo`.
 */
export async function finishMoves(context: CacheContext, repo: RepoId): Promise<void> {
  const { layout } = context
  for (const former of formerNames(context.origin.renames, repo)) {
    const [isBefore, isAfter] = [former, repo].map((name) => stampOf(layout.repo(name)) !== undefined)
    if (isBefore && !isAfter) await move(context, former, repo, former)
    // A move ends with the records, so they may still have the former name.
    if (isAfter && !isBefore) await moveAnswers(context.origin, former, repo)
    if (isAfter && !isBefore) await moveRecords(context, former, repo)
  }
}

/** Returns false when the repo may not be moved now. The caller holds the lock of one name; `other` is the other name. */
async function move(context: CacheContext, from: RepoId, to: RepoId, other: RepoId): Promise<boolean> {
  const { layout } = context
  if (!stampOf(layout.repo(from))) return true
  // Names that differ only in case share a lock.
  if (layout.lock(from) === layout.lock(to)) return moveFolder(context, from, to)
  return (await withFreeRepoLock(layout, other, () => moveFolder(context, from, to))) ?? false
}

async function moveFolder(context: CacheContext, from: RepoId, to: RepoId): Promise<boolean> {
  const { layout } = context
  const metadata = await context.metadata()
  const own = [...(await metadata.all()).values()].filter(({ repo }) => repo === from)
  // At another endpoint the repo may still have this name.
  if (own.some(({ endpoint }) => endpoint !== context.origin.endpoint)) return false
  const isUsed = async () => {
    const leased = await leasedEntries(layout)
    return own.some((entry) => leased.has(entryKey(entry)))
  }
  if (!(await isUsed())) {
    storeRename(context, from, to)
    // Other processes claim an entry and then look for it. So each finds the new name, or its claim is seen here.
    if (!(await isUsed())) return moveAll(context, from, to)
  }
  removeRename(layout, context.origin.renames, from)
  return false
}

async function moveAll(context: CacheContext, from: RepoId, to: RepoId): Promise<true> {
  const { layout } = context
  try {
    await rename(layout.repo(from), layout.repo(to))
  } catch (error) {
    // Another process finished the move while this one was stopped.
    if (systemCode(error) === 'ENOENT') return true
    // Both folders exist. The new one counts, and the old one is removed when it expires.
    if (['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(systemCode(error) ?? '')) return true
    throw error
  }
  await moveAnswers(context.origin, from, to)
  await moveRecords(context, from, to)
  context.debug(`${from} was renamed to ${to} at the Hub: its cached files were moved to the new name`)
  return true
}

async function moveRecords(context: CacheContext, from: RepoId, to: RepoId): Promise<void> {
  const metadata = await context.metadata()
  const isOld = ({ repo, endpoint }: Entry) => repo === from && endpoint === context.origin.endpoint
  if (![...(await metadata.all()).values()].some(isOld)) return
  await metadata.update((entries) => {
    for (const entry of [...entries.values()].filter(isOld)) {
      entries.delete(entryKey(entry))
      entries.set(entryKey({ ...entry, repo: to }), { ...entry, repo: to })
    }
  })
}

/** Moves the stored answers about the repo to its new name. Answers that are already stored by the new name stay. */
async function moveAnswers(origin: Origin, from: RepoId, to: RepoId): Promise<void> {
  try {
    await rename(origin.repo(from), origin.repo(to))
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EPERM'].includes(systemCode(error) ?? '')) throw error
  }
}

/** Stores the new name. Earlier versions stored the renames of all endpoints in one folder: those of both names are removed there. */
function storeRename({ origin, layout }: CacheContext, repo: RepoId, current: RepoId): void {
  origin.writeEndpoint()
  writeRename(origin, repo, current)
  for (const name of [repo, current]) removeRename(layout, layout.formerRenames, name)
}
