import type { Entry } from '../../model/entry.ts'
import { type Model, modelKey } from '../../model/model.ts'
import type { RepoId } from '../../model/repo-id.ts'
import { type Commit, isCommit } from '../../model/revision.ts'
import { snapshotOf } from '../../model/snapshot.ts'
import { originals } from '../../platform/originals.ts'
import type { CacheContext, EndpointAnswer } from '../context/context.ts'
import { isWritable } from '../store/cache-folder.ts'
import { readRef } from '../store/refs.ts'
import { findEntry } from './find-entry.ts'
import { currentRepoId, storedRef } from './stored-answers.ts'
import { warnOfSharedFolder } from './warn-of-shared-folder.ts'

/** What is known of a model without the network. */
export interface Known {
  /** The id under which it is kept. */
  repo: RepoId
  commit: Commit
  /**
   * False when our endpoint has to be asked before it is served: the revision was looked up longer than `maxAge` ago, it
   * is not known who may read the repo, or others can write into the cache folder.
   */
  trusted: boolean
  /** True where nothing but who may read the repo has to be asked: without an answer it is served all the same. */
  lacksAccess?: boolean
  /** What the endpoint told this process: it is believed in place of what lies in a folder into which others can write. */
  received?: EndpointAnswer
  /** Of our endpoint; offline also one of unknown origin. */
  entry: Readonly<Entry> | undefined
}

/** By what our endpoint said before; offline also by what another tool wrote. */
export async function resolveOnDisk(context: CacheContext, model: Model): Promise<Known | undefined> {
  const { offline, hub } = context.options
  const { endpoint } = hub
  const current = await currentRepoId(context, model.repo)
  const { repo } = current
  const own = await storedRef(context, repo, model.revision)
  const ref = own ?? (offline ? await readRef(context.layout, repo, model.revision) : undefined)
  if (!ref) return undefined
  const { commit } = ref
  const entry =
    (own && (await findEntry(context, { repo, commit, endpoint }))) ??
    (offline ? await findEntry(context, { repo, commit, endpoint: undefined }) : undefined)
  // A ref of another tool may lead to an entry of unknown origin, and never to the entry of another endpoint.
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
  const isFresh = isYoung || isReadOnly(context, model, commit)
  const lacksAccess = isFresh && isToBeAsked(context, entry)
  return { ...known, trusted: isFresh && !lacksAccess, lacksAccess }
}

/** Warns where it is true: what the Hub says of an old branch name can't be stored in a read-only folder. */
function isReadOnly({ layout, warn }: CacheContext, { repo, revision }: Model, commit: Commit): boolean {
  if (isWritable(layout)) return false
  const age = `\`${revision}\` was looked up longer than \`maxAge\` ago`
  warn(`${repo}: ${age}, and ${layout.directory} is read-only. The cached commit ${commit.slice(0, 7)} is used.`)
  return true
}

/** It is asked once who may read a repo, where that is not known: until then it counts as private. */
function isToBeAsked({ failedAccessChecks, layout }: CacheContext, entry: Known['entry']): boolean {
  return entry?.access === 'unknown' && !failedAccessChecks.has(`${entry.repo}@${entry.commit}`) && isWritable(layout)
}

/** In a folder into which others can write: what this process was told by the endpoint itself, and no stored word. */
function withReceivedAnswer(context: CacheContext, model: Model, known: Omit<Known, 'trusted'>): Known {
  const received = context.receivedAnswers.get(modelKey(model))
  const isFresh =
    received && (isCommit(model.revision) || originals.monotonic() - received.at <= context.options.maxAge)
  if (!isFresh || received.repo !== known.repo || received.commit !== known.commit) return { ...known, trusted: false }
  const { entry } = known
  const stated = [...(entry?.files ?? [])].filter(([path, { digest }]) => received.tree.get(path)?.digest === digest)
  // Which files a selection came to is planned anew: what is recorded of it may leave some out.
  const believed = entry && { ...entry, ...received.info, files: new Map(stated), selections: [] }
  return { ...known, trusted: true, received, entry: believed }
}
