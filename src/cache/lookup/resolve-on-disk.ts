import type { Entry } from '../../model/entry.ts'
import type { LockedModel } from '../../model/lock-file.ts'
import { type Model, modelKey } from '../../model/model.ts'
import type { RepoId } from '../../model/repo-id.ts'
import { type Commit, isCommit } from '../../model/revision.ts'
import { snapshotOf } from '../../model/snapshot.ts'
import { originals } from '../../platform/originals.ts'
import type { CacheContext, EndpointAnswer } from '../context/context.ts'
import { type Ref, readRef, youngest } from '../store/answers/refs.ts'
import { isWritable } from '../store/cache-folder.ts'
import { findEntry } from './find-entry.ts'
import { importedRef } from './imported-answers.ts'
import { refuseDifferent, requireLocked } from './locked.ts'
import { currentRepoId, storedRef } from './stored-answers.ts'
import { warnOfSharedFolder } from './warn-of-shared-folder.ts'

/** What is known of a model without the network. */
export interface Known {
  /** The repo's current id, under which its files are cached. */
  repo: RepoId
  commit: Commit
  /**
   * False when the endpoint has to be asked before the model is served. This is so when the revision was looked up longer than `maxAge`
   * ago, when it is not known who may read the repo, or when others can write into the cache folder and this process has no answer yet.
   */
  trusted: boolean
  /** True when only the access to the repo has to be asked for. If there is no answer, the model is served all the same. */
  lacksAccess?: boolean
  /**
   * Used in place of stored answers: what the lock file states, or the endpoint's answer to this process when others can write into
   * the cache folder.
   */
  received?: Omit<EndpointAnswer, 'at'>
  /** Set when the lock file states the model. */
  locked?: LockedModel
  /** An entry of the endpoint. Offline, or with a lock file, it may also be one whose endpoint is not known. */
  entry: Readonly<Entry> | undefined
}

/**
 * Resolves a model by the lock file, else by the endpoint's stored answers. Offline also by a ref that another tool wrote. Undefined
 * without a ref. Throws `LOCK_BROKEN`, `LOCK_MISMATCH` and `NOT_LOCKED`.
 */
export async function resolveOnDisk(context: CacheContext, model: Model): Promise<Known | undefined> {
  const { offline, hub } = context.options
  const { endpoint } = hub
  const current = await currentRepoId(context, model.repo)
  const { repo } = current
  const locked = requireLocked(context, model, repo)
  if (locked) return resolveLocked(context, repo, locked)
  const own = await statedRef(context, repo, model.revision)
  const ref = own ?? (offline ? await readRef(context.layout, repo, model.revision) : undefined)
  if (!ref) return undefined
  const { commit } = ref
  const entry =
    (own && (await findEntry(context, { repo, commit, endpoint }))) ??
    (offline ? await findEntry(context, { repo, commit, endpoint: undefined }) : undefined)
  // A ref that another tool wrote may refer to an entry whose endpoint is not known, but never to the entry of another endpoint.
  if (!own && !entry) return undefined
  const known = { repo, commit, entry }
  const id = { repo, snapshot: entry?.snapshot ?? snapshotOf(commit) }
  if (await context.whoElseWrites(id)) {
    if (!offline && isWritable(context.layout)) return withReceivedAnswer(context, model, known)
    await warnOfSharedFolder(context, id, 'unchecked')
    return { ...known, trusted: true }
  }
  if (offline) return { ...known, trusted: true }
  const isYoung = isCommit(model.revision) || Math.max(ref.ageMs, current.ageMs) <= context.options.maxAge
  const isFresh = isYoung || isReadOnlyWithWarning(context, model, commit)
  const lacksAccess = isFresh && isToBeAsked(context, entry)
  return { ...known, trusted: isFresh && !lacksAccess, lacksAccess }
}

/** The ref that the endpoint stated. Offline, an archive may have a younger one. */
async function statedRef(context: CacheContext, repo: RepoId, revision: string): Promise<Ref | undefined> {
  const own = await storedRef(context, repo, revision)
  if (!context.options.offline || isCommit(revision)) return own
  return youngest(own, await importedRef(context, repo, revision))
}

/**
 * Resolves a model by the lock file, whatever the age of stored answers. An entry whose endpoint is not known is used, too, because
 * each of its files is compared with the lock file.
 */
async function resolveLocked(context: CacheContext, repo: RepoId, locked: LockedModel): Promise<Known> {
  const { commit, files, access, task } = locked
  const own = await findEntry(context, { repo, commit, endpoint: locked.endpoint })
  const entry = own ?? (await findEntry(context, { repo, commit, endpoint: undefined }))
  if (entry) refuseDifferent(context, locked, entry.files)
  const known = { repo, commit, locked, received: { repo, commit, tree: files, info: { access, task } } }
  const id = { repo, snapshot: entry?.snapshot ?? snapshotOf(commit) }
  // Others may have removed files from the recorded selections. They are planned again.
  const believed = entry && { ...entry, task, ...((await context.whoElseWrites(id)) && { selections: [] }) }
  return { ...known, entry: believed, trusted: entry?.access !== 'unknown' || !isWritable(context.layout) }
}

/**
 * True when the cache folder is read-only; then also warns. An answer of the Hub about the revision could not be stored there, so the
 * cached commit is used.
 */
function isReadOnlyWithWarning({ layout, warn }: CacheContext, { repo, revision }: Model, commit: Commit): boolean {
  if (isWritable(layout)) return false
  const age = `\`${revision}\` was looked up longer than \`maxAge\` ago`
  warn(`${repo}: ${age}, and ${layout.directory} is read-only. The cached commit ${commit.slice(0, 7)} is used.`)
  return true
}

/** True when it is not known who may read the repo. The Hub is asked once; until then the repo counts as private. */
function isToBeAsked({ failedAccessChecks, layout }: CacheContext, entry: Known['entry']): boolean {
  return entry?.access === 'unknown' && !failedAccessChecks.has(`${entry.repo}@${entry.commit}`) && isWritable(layout)
}

/** Used when others can write into the cache folder: trusts the endpoint's answer to this process, and no stored answer. */
function withReceivedAnswer(context: CacheContext, model: Model, known: Omit<Known, 'trusted'>): Known {
  const received = context.receivedAnswers.get(modelKey(model))
  const isFresh =
    received && (isCommit(model.revision) || originals.monotonic() - received.at <= context.options.maxAge)
  if (!isFresh || received.repo !== known.repo || received.commit !== known.commit) return { ...known, trusted: false }
  const { entry } = known
  const stated = [...(entry?.files ?? [])].filter(([path, { digest }]) => received.tree.get(path)?.digest === digest)
  // The recorded selections are dropped, because others may have removed files from them. The files are planned again.
  const believed = entry && { ...entry, ...received.info, files: new Map(stated), selections: [] }
  return { ...known, trusted: true, received, entry: believed }
}
