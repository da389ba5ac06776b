import { basename } from 'node:path'
import { readLockFile } from '../../config/lock-file.ts'
import type { Digest } from '../../model/digest.ts'
import { ModelCacheError } from '../../model/errors.ts'
import type { HubPath } from '../../model/hub-path.ts'
import type { LockedModel, LockFile } from '../../model/lock-file.ts'
import { describeModel, type Model, modelLabel } from '../../model/model.ts'
import type { RepoId } from '../../model/repo-id.ts'
import { type Commit, isCommit } from '../../model/revision.ts'
import type { Tree } from '../../model/tree.ts'
import type { CacheContext } from '../context/context.ts'

// A lock file belongs to the endpoint that each of its models names. What it states is not stored as an answer of that endpoint:
// it holds for this project only, and a project without it asks the Hub.

type Revision = Pick<Model, 'repo' | 'revision'>

/**
 * What the lock file states about a model, by any of its names. Undefined if it states nothing for our endpoint, and if it is broken:
 * `requireLocked`, which each lookup of a model calls first, throws then.
 */
export function findLocked(context: CacheContext, { repo, revision }: Revision): LockedModel | undefined {
  const own = modelsOfRepo(context, repo)
  return (
    own.find((model) => model.revision === revision) ??
    (isCommit(revision) ? own.find(({ commit }) => commit === revision) : undefined)
  )
}

/** The files of a repo at a commit that the lock file states. */
export function lockedTree(
  context: CacheContext,
  { repo, commit }: { repo: RepoId; commit: Commit },
): Tree | undefined {
  return modelsOfRepo(context, repo).find((model) => model.commit === commit)?.files
}

/** The id of the repo that the lock file states for a name. */
export function lockedId(context: CacheContext, repo: RepoId): RepoId | undefined {
  return modelsOfRepo(context, repo).find((model) => model.repo === repo)?.id
}

/**
 * What the lock file states about a model. Undefined if the Hub has to be asked. Throws `LOCK_BROKEN`, and `NOT_LOCKED` for a model
 * that a frozen cache must refuse.
 */
export function requireLocked(context: CacheContext, model: Model, current: RepoId): LockedModel | undefined {
  const { lockfile, frozen, run, manifest } = context.options
  if (lockfile === undefined && !frozen) return undefined
  const file = lockfile === undefined ? undefined : readLockFile(lockfile)
  const locked = findLocked(context, model) ?? findLocked(context, { ...model, repo: current })
  if (locked) return locked
  if (frozen) throw notLocked(context, model, file)
  // The main process tells it for all processes of a run. They have the manifest.
  if (file && run && !manifest)
    context.warn(
      `${modelLabel(model)} is not pinned: ${lacks(context, model, file)} Add it: \`npx vitest-model-cache lock\`.`,
    )
  return undefined
}

/** The name of the lock file, for messages. */
export function lockName({ options }: CacheContext): string {
  return basename(options.lockfile ?? 'models.lock.json')
}

type Stated = { digest: Digest; size: number }

/** Throws `LOCK_MISMATCH` if one of the files differs from what the lock file states. */
export function refuseDifferent(
  context: CacheContext,
  locked: LockedModel,
  files: ReadonlyMap<HubPath, Stated>,
  where = 'the cache',
): void {
  for (const [path, file] of files) compare(context, locked, path, file, where)
}

/** Throws `LOCK_MISMATCH` if the stored listing of the endpoint differs from that of the lock file. */
export function refuseOtherListing(context: CacheContext, locked: LockedModel, listing: Tree): void {
  for (const path of new Set([...listing.keys(), ...locked.files.keys()]))
    compare(context, locked, path, listing.get(path), `the stored listing of ${locked.endpoint}`)
}

function compare(context: CacheContext, locked: LockedModel, path: HubPath, found: Stated | undefined, where: string) {
  const stated = locked.files.get(path)
  if (found?.digest === stated?.digest && found?.size === stated?.size) return
  throw new ModelCacheError({
    code: 'LOCK_MISMATCH',
    asked: `File ${path} of ${modelLabel(locked)}`,
    reason: `At commit ${locked.commit.slice(0, 7)}, ${where} has ${shown(found)}, and ${lockName(context)} states ${shown(stated)}.`,
    nextStep: `One of the two is wrong. ${waysOut(locked)}`,
  })
}

function shown(file: Stated | undefined): string {
  return file ? `${file.digest} (${file.size} bytes)` : 'no such file'
}

function waysOut(locked: LockedModel): string {
  return `If it is the lock file: \`npx vitest-model-cache lock --update ${modelLabel(locked)}\`. Otherwise: \`npx vitest-model-cache rm ${locked.id}\`.`
}

function modelsOfRepo({ options, origin }: CacheContext, name: RepoId): LockedModel[] {
  const file = options.lockfile === undefined ? undefined : readableLockFile(options.lockfile)
  if (!file) return []
  return file.models.filter(({ repo, id, endpoint }) => (repo === name || id === name) && endpoint === origin.endpoint)
}

function readableLockFile(path: string): LockFile | undefined {
  try {
    return readLockFile(path)
  } catch {
    return undefined
  }
}

function notLocked(context: CacheContext, model: Model, file: LockFile | undefined): ModelCacheError {
  const { lockfile } = context.options
  const reason = file
    ? lacks(context, model, file)
    : lockfile === undefined
      ? 'No lock file is used, because the option `lockfile` is false.'
      : `There is no lock file ${lockfile}.`
  return new ModelCacheError({
    code: 'NOT_LOCKED',
    asked: `Model ${describeModel(model)}`,
    reason: `${reason} The cache is frozen, so no other model is used.`,
    nextStep: `Run \`npx vitest-model-cache lock ${modelLabel(model)}\` and commit the file. MODEL_CACHE_FROZEN=0 lifts the check.`,
  })
}

function lacks(context: CacheContext, { repo, revision }: Model, { models }: LockFile): string {
  const elsewhere = models.find((model) => model.repo === repo && model.revision === revision)
  const name = lockName(context)
  if (elsewhere) return `${name} states it for ${elsewhere.endpoint}, and not for ${context.origin.endpoint}.`
  return `${name} does not have it.`
}
