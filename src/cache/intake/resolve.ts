import { findToken, withheldToken } from '../../config/token.ts'
import { fetchModel, fetchTree } from '../../hub/api.ts'
import type { HubAccess } from '../../hub/http.ts'
import type { Entry } from '../../model/entry.ts'
import { asSentence, ModelCacheError, messageOf } from '../../model/errors.ts'
import { describeModel, type Model, modelKey, modelLabel } from '../../model/model.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import { snapshotOf } from '../../model/snapshot.ts'
import type { Tree } from '../../model/tree.ts'
import { originals } from '../../platform/originals.ts'
import type { CacheContext } from '../context/context.ts'
import { importedRefs, importedTree } from '../lookup/imported-answers.ts'
import { migrateEntry } from '../lookup/migrate-entry.ts'
import { type Known, resolveOnDisk } from '../lookup/resolve-on-disk.ts'
import { currentRepoId, storedTree } from '../lookup/stored-answers.ts'
import { warnOfSharedFolder } from '../lookup/warn-of-shared-folder.ts'
import { readRef } from '../store/answers/refs.ts'
import { type RepoInfo, readRepoInfo } from '../store/answers/repo-info.ts'
import { readTree, writeTree } from '../store/answers/trees.ts'
import { adoptRevision } from './adopt-revision.ts'
import { answerOfLock } from './answer-of-lock.ts'
import { keepAnswer } from './keep-answer.ts'
import { adoptFormerName, settleName } from './settle-name.ts'
import { findStranger, type Place, settleSnapshot } from './settle-snapshot.ts'
import { writeHubRef } from './write-hub-ref.ts'

/** A model as one endpoint describes it. */
interface Answer {
  /** The id under which the cache stores the repo. */
  repo: RepoId
  commit: Commit
  tree: Tree
  /** True when the repo may have more files than `tree`, so that a selection may be incomplete. */
  isPartial?: boolean
  /** The endpoint that gave the answer. Undefined when it is not known: then only the names of the blobs state their digests. */
  endpoint: string | undefined
  /** Undefined when it is not known. */
  info: RepoInfo | undefined
  /** Why the Hub was not asked, or gave no answer. Undefined when its answer is fresh enough. */
  failure?: unknown
  /** The name of the lock file, if that gave the answer. */
  lockfile?: string
  /** The name of the remote whose signed answer this is. */
  signedIn?: string
}

export type Resolved = Answer & Place

interface ResolveOptions extends Pick<HubAccess, 'onWait'> {
  signal?: AbortSignal
}

/**
 * Finds the commit of a model, its files and its snapshot folder: from the lock file, else from disk while the stored answers are
 * trusted, else from the Hub. When the Hub can't be reached, the stored answers are used, with a warning. Called under the lock of `held`, so that
 * the Hub is asked once. Returns a repo id when the repo is stored under another id, whose lock is then needed.
 */
export async function resolve(
  context: CacheContext,
  model: Model,
  held: RepoId,
  options: ResolveOptions = {},
): Promise<Resolved | RepoId> {
  const answer = await findAnswer(context, model, held, options)
  return typeof answer === 'string' ? answer : { ...answer, ...(await settleSnapshot(context, answer)) }
}

async function findAnswer(
  context: CacheContext,
  model: Model,
  held: RepoId,
  options: ResolveOptions,
): Promise<Answer | RepoId> {
  const known = await resolveOnDisk(context, model)
  if (known?.locked) return answerOfLock(context, known.locked, known)
  const withoutHub = { model: { ...model, repo: held }, known, signal: options.signal }
  if (context.options.offline) return answerWithoutHub(context, withoutHub, offlineMiss(model))
  const stored = known?.trusted ? await storedAnswer(context, known) : undefined
  if (stored && !stored.isPartial) return stored
  try {
    return await askHub(context, model, held, options)
  } catch (error) {
    const isCertain = known?.lacksAccess && error instanceof ModelCacheError
    if (!isCertain && !mayServeStale(error)) throw error
    const answer = await answerWithoutHub(context, { ...withoutHub, isCertain }, error)
    if (isCertain) context.failedAccessChecks.add(`${known.repo}@${known.commit}`)
    else tellStale(context, model, answer, error)
    await warnOfSharedFolder(context, { repo: answer.repo, snapshot: snapshotOf(answer.commit) }, 'unchecked')
    return answer
  }
}

/** The stored answer of our endpoint. Without a stored listing, the record states the digests, which is enough to verify files. */
async function storedAnswer(
  context: CacheContext,
  { repo, commit, entry, received }: Known,
): Promise<Answer | undefined> {
  const { endpoint } = context.origin
  if (received) return { ...received, endpoint }
  const own = entry?.endpoint === endpoint ? entry : undefined
  const info = readRepoInfo(context.origin, repo, commit) ?? own
  const tree = await storedTree(context, repo, commit)
  if (tree) return { repo, commit, tree, endpoint, info }
  return own && { repo, commit, tree: recordedTree(own), isPartial: true, endpoint, info }
}

interface WithoutHub {
  model: Model
  known: Known | undefined
  /** True if the Hub did answer: it refused. */
  isCertain?: boolean
  signal?: AbortSignal
}

/**
 * Uses the stored answer, else what another tool wrote into `hub/`, else the signed answer of the remote, else another cache. Throws
 * `failure` when none of them has the model.
 */
async function answerWithoutHub(
  context: CacheContext,
  { model, known, isCertain, signal }: WithoutHub,
  failure: unknown,
): Promise<Answer> {
  const stored = known && (await storedAnswer(context, known))
  if (stored) return { ...stored, failure }
  const stranger = await strangersAnswer(context, model)
  // A partial answer may lack files that the remote has.
  const mayAsk = !isCertain && context.options.remote !== undefined && (stranger?.isPartial ?? true)
  const signed = mayAsk ? await signedAnswer(context, model, signal) : undefined
  const answer = (typeof signed === 'object' ? signed : stranger) ?? (await adoptedAnswer(context, model))
  if (answer) return { ...answer, failure }
  throw typeof signed === 'string' ? withReason(failure, signed) : failure
}

/** The signed answer of the remote, or why there is none: the end of a sentence. */
async function signedAnswer(
  context: CacheContext,
  model: Model,
  signal?: AbortSignal,
): Promise<Answer | string | undefined> {
  const { answerOfRemote } = await import('./answer-of-remote.ts')
  const found = await answerOfRemote(context, model, signal)
  if (!found || 'why' in found) return found?.why
  const { listing, signedIn, ageMs } = found
  const { repo, commit, access, task, files: tree } = listing
  // Its endpoint did not say so to this cache: another project asks the Hub, as after the answer of a lock file.
  const answer = { repo, commit, tree, endpoint: undefined, info: { access, task }, signedIn }
  const { snapshot } = await settleSnapshot(context, answer)
  await writeHubRef(context, { ...answer, revision: model.revision, snapshot, ageMs })
  return answer
}

export function withReason(failure: unknown, why: string): unknown {
  if (!(failure instanceof ModelCacheError)) return failure
  const { code, asked, reason, nextStep, cause } = failure
  return new ModelCacheError({
    code,
    asked,
    reason: `${reason} The remote did not help: ${asSentence(why)}`,
    nextStep,
    cause,
  })
}

/** A model in `hub/` whose endpoint is not known, because another tool downloaded it or an archive brought it. */
async function strangersAnswer(context: CacheContext, model: Model): Promise<Answer | undefined> {
  const { repo } = await currentRepoId(context, model.repo)
  const stated = await importedRefs(context, repo, model.revision)
  let entry: Readonly<Entry> | undefined
  for (const ref of [...stated, await readRef(context.layout, repo, model.revision)])
    entry ??= ref && (await findStranger(context, { repo, commit: ref.commit }))
  if (!entry) return undefined
  const { commit } = entry
  const listed = (await importedTree(context, entry)) ?? (await readTree(context.layout, repo, commit))
  return { repo, commit, tree: listed ?? recordedTree(entry), isPartial: !listed, endpoint: undefined, info: entry }
}

async function adoptedAnswer(context: CacheContext, { repo, ...model }: Model): Promise<Answer | undefined> {
  const adopted = await adoptRevision(context, { ...model, repo })
  if (!adopted) return undefined
  const { ageMs, info, ...rest } = adopted
  const answer = { ...rest, repo, info }
  if (answer.endpoint !== undefined) {
    writeTree(context.origin, repo, answer.commit, answer.tree)
    await keepAnswer(context, { ...answer, revision: model.revision, ageMs })
  }
  const { snapshot } = await settleSnapshot(context, answer)
  await writeHubRef(context, { ...answer, revision: model.revision, snapshot, ageMs })
  return answer
}

async function askHub(
  context: CacheContext,
  model: Model,
  held: RepoId,
  { signal, onWait }: ResolveOptions,
): Promise<Answer | RepoId> {
  const asked = `Model ${describeModel(model)}`
  const hub = { ...(await hubAccess(context)), onWait }
  const { endpoint } = hub
  const { stallMs } = context.options
  const { commit, repo: now, ...info } = await fetchModel(hub, { ...model, asked, signal, stallMs })
  const repo = await settleName(context, model.repo, held, now)
  if (repo !== held) return repo
  await adoptFormerName(context, hub, { repo, commit, signal })
  const tree = await treeAt(context, { repo, commit, asked, signal, onWait })
  const answer = { repo, commit, tree, endpoint, info }
  const { snapshot, entry } = await settleSnapshot(context, answer)
  // An entry of an earlier version may have other revisions in its refs. They are moved to the endpoint's folder, too.
  if (entry) await migrateEntry(context.layout, entry)
  await keepAnswer(context, { ...answer, revision: model.revision })
  await writeHubRef(context, { ...answer, revision: model.revision, snapshot })
  context.receivedAnswers.set(modelKey(model), { repo, commit, tree, info, at: originals.monotonic() })
  await warnOfSharedFolder(context, { repo, snapshot }, 'asked')
  return answer
}

/** The files of a commit: the stored listing of our endpoint, else a new one from the Hub. */
export async function treeAt(
  context: CacheContext,
  { repo, commit, asked, signal, onWait }: { repo: RepoId; commit: Commit; asked: string } & ResolveOptions,
): Promise<Tree> {
  const stored = (await context.whoElseWrites({ repo, snapshot: snapshotOf(commit) }))
    ? undefined
    : await storedTree(context, repo, commit)
  if (stored) return stored
  const { stallMs } = context.options
  const tree = await fetchTree({ ...(await hubAccess(context)), onWait }, { repo, commit, asked, signal, stallMs })
  context.origin.writeEndpoint()
  writeTree(context.origin, repo, commit, tree)
  return tree
}

/** The recorded files of an entry. The repo may have more. */
function recordedTree({ files }: Readonly<Entry>): Tree {
  return new Map([...files].map(([path, { size, digest }]) => [path, { size, digest, gitId: '' }]))
}

/** The access to the configured Hub, with the token that may be sent there. */
export async function hubAccess(context: CacheContext): Promise<HubAccess> {
  const { hub } = context.options
  context.noteHubAsked()
  const token = await findToken(hub, context.env)
  const withheld = token === undefined ? await withheldToken(hub, context.env) : undefined
  return { endpoint: hub.endpoint, fetch: await context.fetch(), token, withheld }
}

/** The error for a model that is not cached when the cache is offline. */
export function offlineMiss(model: Model): ModelCacheError {
  return new ModelCacheError({
    code: 'OFFLINE',
    asked: `Model ${describeModel(model)}`,
    reason: 'It is not in the cache, and the cache is offline.',
    nextStep: `Download it while online: \`npx vitest-model-cache warm ${modelLabel(model)}\`.`,
  })
}

/** "Not found" and "forbidden" are answers of the Hub. A stored answer is used only when the Hub is unreachable or fails. */
function mayServeStale(error: unknown): boolean {
  return error instanceof ModelCacheError && (error.code === 'HUB_UNREACHABLE' || error.code === 'HUB_ERROR')
}

function tellStale(context: CacheContext, model: Model, { commit, endpoint, signedIn }: Answer, error: unknown): void {
  const what =
    signedIn !== undefined
      ? `the Hub could not be asked, so the signed answer in ${signedIn} is used: commit ${commit.slice(0, 7)}`
      : endpoint === undefined
        ? `the Hub could not be asked for its digests, so the files of the cached commit ${commit.slice(0, 7)} are only checked against the names of their blobs`
        : `the Hub could not be asked whether ${model.revision} has a new commit, so the cached commit ${commit.slice(0, 7)} is used`
  context.warn(`${modelLabel(model)}: ${what}. ${messageOf(error)}`)
}
